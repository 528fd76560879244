"""Members on a leading axis: each gets what it gets alone, whatever becomes of the others."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from small_models import NO_CONTROLLER, OTHERS, converted, data_for, randomised, small_member
from torch import Tensor

from autolfads_trainer.data.dataset import Split
from autolfads_trainer.engine.series import Series
from autolfads_trainer.engine.step import training_loss
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.member import Member

MEMBERS = 3
CASES: list[dict[str, Any]] = [
    {},
    NO_CONTROLLER,
    {"ext_input_dim": 2},
    {"ic_enc_seq_len": 2},
    {"cell_clip": 0.5},
    {"cd": {"cd_rate": 0.6, "cd_pass_rate": 0.4}},
    *OTHERS.values(),
]


def stacked(values: list[Any]) -> Any:
    """Stack draws or noise of members, field by field."""
    first = values[0]
    if isinstance(first, Tensor):
        return torch.stack(values)
    if isinstance(first, tuple):
        return tuple(stacked(list(each)) for each in zip(*values, strict=True))
    parts = {
        field.name: stacked([getattr(value, field.name) for value in values])
        for field in fields(first)
    }
    return type(first)(**parts)


class Group:
    """Members with weights, rates and randomness of their own, in double precision."""

    def __init__(self, settings: dict[str, Any]) -> None:
        data = data_for(settings)
        self.members = [
            small_member(number, data=data, dropout_rate=0.1 * number, **settings)
            for number in range(MEMBERS)
        ]
        for number, member in enumerate(self.members):
            randomised(member.model, number).double()
            hp = member.hp
            hp.values = {name: value.double() for name, value in hp.values.items()}
            hp.values["cd_rate"] = hp.values["cd_rate"] * (1 - 0.5 * number)
            hp.kl_ramp, hp.l2_ramp = (torch.tensor(0.2 * number).double() for _ in range(2))
        self.draws: list[StepDraws] = [
            converted(member.drawer.draw(), torch.float64) for member in self.members
        ]
        self.series = []
        for session in data.sessions:
            there = {name: v for name, v in vars(session.train).items() if v is not None}
            doubled = {name: value.double() for name, value in there.items()}
            self.series.append(Series.of(Split(**{"truth": None, **doubled})))

    def alone(self, number: int) -> tuple[Any, list[Tensor]]:
        """Return a member's own parts and gradients."""
        member = self.members[number]
        parameters = dict(member.model.named_parameters())
        draws = self.draws[number]
        stack = member.train_stack
        loss = training_loss(member.model, parameters, self.series, stack, draws, member.hp)
        return loss.parts, gradients(loss.total, parameters)

    def together(self) -> tuple[Any, list[Tensor]]:
        """Return those of all members, on a leading axis."""
        parameters = self.parameters()
        first = self.members[0]
        draws = stacked(self.draws)
        hp, stack = self.hyperparameters(), first.train_stack
        loss = training_loss(first.model, parameters, self.series, stack, draws, hp)
        return loss.parts, gradients(loss.total.sum(), parameters)

    def parameters(self) -> dict[str, Tensor]:
        """Return the parameters of all members by name."""
        each = [dict(member.model.named_parameters()) for member in self.members]
        return {
            name: torch.stack([one[name].detach() for one in each]).requires_grad_(
                parameter.requires_grad
            )
            for name, parameter in each[0].items()
        }

    def hyperparameters(self) -> Any:
        """Return hyperparameters with one value a member."""
        hp = small_member().hp
        each: list[Member] = self.members
        hp.values = {
            name: torch.stack([member.hp.values[name] for member in each]) for name in hp.values
        }
        hp.kl_ramp = torch.stack([member.hp.kl_ramp for member in each])
        hp.l2_ramp = torch.stack([member.hp.l2_ramp for member in each])
        return hp


def gradients(total: Tensor, parameters: dict[str, Tensor]) -> list[Tensor]:
    trained = [parameter for parameter in parameters.values() if parameter.requires_grad]
    return list(torch.autograd.grad(total, trained, materialize_grads=True))


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one.double(), other.double(), rtol=1e-9, atol=1e-11, equal_nan=True)


@pytest.mark.parametrize("settings", CASES)
def test_a_member_learns_what_it_learns_alone(settings: dict[str, Any]) -> None:
    group = Group(settings)
    parts, together = group.together()
    for number in range(MEMBERS):
        its_parts, its_gradients = group.alone(number)
        for name, value in its_parts.items():
            found = parts[name][number] if parts[name].dim() else parts[name]
            assert close(found, value), (number, name)
        for ours, theirs in zip(together, its_gradients, strict=True):
            assert close(ours[number], theirs), number


@pytest.mark.parametrize("settings", CASES)
def test_what_is_not_finite_in_one_stays_there(settings: dict[str, Any]) -> None:
    group = Group(settings)
    parts, before = group.together()
    with torch.no_grad():
        for parameter in group.members[1].model.parameters():
            parameter.fill_(float("nan"))
    after_parts, after = group.together()
    assert not after_parts["recon"][1].isfinite()
    for number in (0, 2):
        assert close(after_parts["loss"][number], parts["loss"][number])
        for ours, theirs in zip(after, before, strict=True):
            assert torch.equal(ours[number], theirs[number])
