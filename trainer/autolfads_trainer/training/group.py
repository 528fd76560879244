"""Members of one shape, trained side by side: what each of them has is a slice of what all have.

A step of all is one pass of the engine with a leading axis of members. Nothing of a member touches
another: not its numbers that are not finite, not its random stream, not the norm of its gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.engine.step import training_loss
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.optimizer import adamw, clip_factor
from autolfads_trainer.training.scores import Scores


class Group:
    """Some members, a step at a time. Each can be saved, validated and scored as if it were alone.

    Raises `ValueError` where they are of different shapes, or differ in more than what is tuned.
    """

    def __init__(self, members: Sequence[Member], data: Series) -> None:
        self.members, self.data = list(members), data
        first = self.first = self.members[0]
        if any(_alike(member) != _alike(first) for member in self.members):
            raise ValueError("members of a group differ in more than what can be tuned")
        optimizers = [member.optimizer for member in self.members]
        self.trained = Flat([optimizer.parameters for optimizer in optimizers])
        self.means = Flat([optimizer.means for optimizer in optimizers])
        self.squares = Flat([optimizer.squares for optimizer in optimizers])
        self.steps = _shared([vars(optimizer) for optimizer in optimizers], "steps")
        rest = [
            {
                name: parameter
                for name, parameter in member.model.named_parameters()
                if name not in self.trained.named
            }
            for member in self.members
        ]
        self.parameters = {
            **{name: value.requires_grad_() for name, value in self.trained.named.items()},
            **{name: torch.stack([one[name].detach() for one in rest]) for name in rest[0]},
        }
        self.hp = _hyperparameters([member.hp for member in self.members])
        self.scores = _scores([member.scores for member in self.members])
        self.sums: dict[str, Tensor] = {}

    def step(self) -> None:
        """Take one step of each."""
        draws = stacked([member.drawer.draw() for member in self.members])
        loss = training_loss(
            self.first.model, self.parameters, self.data, draws, self.hp, self.scores
        )
        trained = [self.parameters[name] for name in self.trained.named]
        # The sum's gradient in a member's parameters is that of its own loss.
        found = torch.autograd.grad(loss.total.sum(), trained, materialize_grads=True)
        gradient = torch.cat([each.flatten(1) for each in found], dim=1)
        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        hp, optimizer = self.hp, self.first.optimizer
        self.steps += 1
        with torch.no_grad():
            adamw(
                self.trained.values,
                self.means.values,
                self.squares.values,
                gradient * clip_factor(norm, self.first.clip),
                lr=hp.lr.unsqueeze(1),
                weight_decay=(hp.l2_ramp * hp["weight_decay"]).unsqueeze(1),
                steps=self.steps.unsqueeze(1),
                betas=optimizer.betas,
                epsilon=optimizer.epsilon,
            )
        self._add(loss.parts)

    def _add(self, parts: Mapping[str, Tensor]) -> None:
        for name, value in parts.items():
            if name not in self.sums:
                self.sums[name] = torch.zeros_like(value)
                for number, member in enumerate(self.members):
                    held = self.sums[name][number]
                    before = member.progress.sums.get(name)
                    if before is not None:
                        held.copy_(before)
                    member.progress.sums[name] = held
            self.sums[name] += value


class Flat:
    """Tensors of members, by name, in one memory `(M, P)`: what was given becomes views of it."""

    def __init__(self, each: Sequence[Mapping[str, Tensor]]) -> None:
        with torch.no_grad():
            rows = [torch.cat([value.flatten() for value in one.values()]) for one in each]
            self.values = torch.stack(rows)
        self.named: dict[str, Tensor] = {}
        begin = 0
        for name, value in each[0].items():
            end = begin + value.numel()
            of_all = self.values[:, begin:end].view(len(each), *value.shape)
            for number, one in enumerate(each):
                one[name].data = of_all[number]
            self.named[name] = of_all
            begin = end


def stacked(each: Sequence[Any]) -> Any:
    """Stack what members have of one kind: tensors, or records of tensors."""
    first = each[0]
    if isinstance(first, Tensor):
        return torch.stack(list(each))
    parts = {
        field.name: stacked([getattr(one, field.name) for one in each]) for field in fields(first)
    }
    return type(first)(**parts)


def _shared(each: Sequence[dict[str, Any]], name: str) -> Tensor:
    """Stack the tensors that all have by this name, and give each its slice instead."""
    of_all = torch.stack([one[name] for one in each])
    for number, one in enumerate(each):
        one[name] = of_all[number]
    return of_all


def _hyperparameters(each: Sequence[Hyperparameters]) -> Hyperparameters:
    """Return those of all, one value a member; a member's own are slices of them."""
    values = {name: _shared([one.values for one in each], name) for name in each[0].values}
    others = {name: _shared([vars(one) for one in each], name) for name in each[0].OF_A_STEP}
    return Hyperparameters.of(values, **others)


def _scores(each: Sequence[Scores]) -> Scores:
    """Return the sums of all on a leading axis; a member's own are slices of them."""
    of_all = Scores(each[0].sizes, each[0].nll.device)
    for name in Scores.SUMS:
        setattr(of_all, name, _shared([vars(one) for one in each], name))
    return of_all


def _alike(member: Member) -> tuple[Any, ...]:
    """Return what all members of a group must have in common."""
    shapes = [(name, value.shape) for name, value in member.model.named_parameters()]
    model, optimizer = member.model, member.optimizer
    settings = (model.sizes, model.configuration["cell_clip"], model.configuration["loss_scale"])
    return (
        *settings,
        model.configuration["ic_post_var_min"],
        shapes,
        optimizer.betas,
        optimizer.epsilon,
        member.clip,
        member.batch_size,
        member.drawer.step,
        member.drawer.steps_per_epoch,
    )
