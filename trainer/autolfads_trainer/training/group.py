"""Members of one shape, trained side by side: what each of them has is a slice of what all have.

A step of all is one pass of the engine with a leading axis of members. Nothing of a member touches
another: not its numbers that are not finite, not its random stream, not the norm of its gradient.
On a GPU a step is captured once, and then replayed: members come and go, and hyperparameters
change, as values that are written into the memory of the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.engine.step import Engine, training_loss, validation_pass
from autolfads_trainer.model.noise import Samples
from autolfads_trainer.training.captured import Captured
from autolfads_trainer.training.draws import draw_step_of_all
from autolfads_trainer.training.group_memory import Flat, Places, generator_like, places_of
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import stacked
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.optimizer import adamw, clip_factor
from autolfads_trainer.training.precision import exactly
from autolfads_trainer.training.scores import Scores

# Settings that a step computes with, beside hyperparameters.
_OF_A_STEP = (
    *("cell_clip", "loss_scale", "ic_post_var_min", "recon_reduce_mean", "variational"),
    *("reconstruction", "ic_prior", "co_prior", "infer_aug_stack"),
)


class Group:
    """Some members, a step at a time, each in a place of its own.

    While a member is held here it can be saved and read as if it were alone. A place can be empty:
    then it computes something that nobody looks at.
    """

    def __init__(self, first: Member, places: int) -> None:
        """Make empty places for members like `first`.

        Raises `TypeError` for one that is not trained by the engine, and torch's errors where there
        is not enough memory: a step and a validation are rehearsed, and on a GPU captured.
        """
        if not isinstance(first.way, Engine):
            raise TypeError("members of a group are trained by the engine")
        self.first, self.kind = first, kind_of(first)
        self.members: list[Member | None] = [None] * places
        self.data = first.way.train
        self.valid = [series.of_all(places) for series in first.way.valid]
        self.valid_noise = Samples(*(n.expand(places, *n.shape) for n in first.valid_noise))
        optimizer = first.optimizer
        self.trained = Flat(optimizer.parameters, places)
        self.means = Flat(optimizer.means, places)
        self.squares = Flat(optimizer.squares, places)
        self.untrained = Flat(untrained_of(first), places)
        self.parameters = {
            **{name: value.requires_grad_() for name, value in self.trained.named.items()},
            **self.untrained.named,
        }
        self.shared = Places(first, places)
        self.hp: Hyperparameters = self.shared.hyperparameters()
        self.scores: Scores = self.shared.scores()
        self.sums, self.steps = self.shared["sums"], self.shared["optimizer.steps"]
        self.valid_scores = self.shared.scores_like(self.scores)
        self.valid_sums = torch.zeros_like(self.sums)
        self.generators = [generator_like(first.drawer.generator) for _ in self.members]
        each, sessions = first.drawer.batch_size, len(first.drawer.trials)
        self._no_trials = [
            torch.zeros(each, dtype=torch.int64, device=first.device) for _ in range(sessions)
        ]
        self.trials = [torch.stack([none] * places) for none in self._no_trials]
        self._step = Captured(self._take_step, self.generators, first.device)
        self._validation = Captured(self._validate, (), first.device)
        self._step.prepare()
        self._validation.prepare()

    @classmethod
    def of(cls, members: Sequence[Member]) -> Group:
        """Return a group of these. Raises as `hold` does."""
        made = cls(members[0], len(members))
        for place, member in enumerate(members):
            made.hold(place, member)
        return made

    # Who is in it.
    def hold(self, place: int, member: Member) -> None:
        """Take a member into an empty place: its tensors become slices of the group's.

        Raises `ValueError` for one of another shape, or that differs in more than what is tuned.
        """
        if kind_of(member) != self.kind:
            raise ValueError("members of a group differ in more than what can be tuned")
        self.members[place] = member
        for flat, mine in self._flats(member):
            flat.hold(place, mine)
        self.shared.hold(place, member)
        generator = self.generators[place]
        generator.set_state(member.drawer.generator.get_state())
        member.drawer.generator = generator

    def release(self, member: Member) -> None:
        """Let a member go, with memory of its own. Its place is empty then."""
        place = self.members.index(member)
        self.members[place] = None
        for _, mine in self._flats(member):
            Flat.leave(mine)
        for owner, name in places_of(member).values():
            owner[name] = owner[name].clone()
        member.drawer.generator = generator_like(member.drawer.generator)
        member.drawer.generator.set_state(self.generators[place].get_state())

    @property
    def empty_places(self) -> list[int]:
        """The places that are empty."""
        return [place for place, member in enumerate(self.members) if member is None]

    def _flats(self, member: Member) -> list[tuple[Flat, Any]]:
        optimizer = member.optimizer
        return [
            (self.trained, optimizer.parameters),
            (self.means, optimizer.means),
            (self.squares, optimizer.squares),
            (self.untrained, untrained_of(member)),
        ]

    # Training.
    def step(self) -> None:
        """Take one step of each; at its epoch's end a member is validated and notes it."""
        chosen = []
        for member in self.members:
            if member is not None:
                member.before_step()
            chosen.append(self._no_trials if member is None else member.drawer.next_trials())
        for trials, of_session in zip(self.trials, zip(*chosen, strict=True), strict=True):
            torch.stack(of_session, out=trials)
        self._step()
        if any(member is not None and member.drawer.step == 0 for member in self.members):
            self._end_epoch()

    def _take_step(self) -> None:
        model, stack = self.first.model, self.first.train_stack
        draws = draw_step_of_all(model.sizes, stack, self.trials, self.generators)
        loss = training_loss(model, self.parameters, self.data, stack, draws, self.hp, self.scores)
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
        self.sums += loss.stacked()

    def _validate(self) -> None:
        self.valid_scores.reset()
        with exactly(self.first.device):
            parts = validation_pass(
                self.first.model,
                self.parameters,
                self.valid,
                self.first.infer_stack,
                self.valid_noise,
                self.hp,
                self.valid_scores,
                batch_size=self.first.batch_size,
            )
        self.valid_sums.copy_(stacked(parts))

    def _end_epoch(self) -> None:
        """Validate all; those whose epoch is at its end note what it came to."""
        self._validation()
        sums, valid_sums = self.sums.tolist(), self.valid_sums.tolist()
        scores, valid_scores = self.scores.read_all(), self.valid_scores.read_all()
        for place, member in enumerate(self.members):
            if member is not None and member.drawer.step == 0:
                steps = member.drawer.steps_per_epoch
                trained = {**member.means(sums[place], steps), **scores[place]}
                validated = {**member.means(valid_sums[place], 1), **valid_scores[place]}
                member.end_epoch(trained, validated)


def untrained_of(member: Member) -> dict[str, Tensor]:
    """Return the parameters that are not trained, by name."""
    trained = member.optimizer.parameters
    return {name: value for name, value in member.model.named_parameters() if name not in trained}


def kind_of(member: Member) -> tuple[Any, ...]:
    """Return what all members of a group must have in common."""
    shapes = tuple((name, value.shape) for name, value in member.model.named_parameters())
    model, optimizer = member.model, member.optimizer
    return (
        id(member.way),  # the data, as the engine reads them
        model.sizes,
        *(repr(model.configuration[name]) for name in _OF_A_STEP),
        repr([part["_target_"] for part in model.configuration["train_aug_stack"]["transforms"]]),
        shapes,
        optimizer.betas,
        optimizer.epsilon,
        member.clip,
        member.batch_size,
    )
