"""A training step's loss by the engine: the reference's value, parts, gradients and scores."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import NO_CONTROLLER, OTHERS, converted, data_for, randomised, small_member
from torch import Tensor

from autolfads_trainer.data.dataset import Dataset, Session, Split
from autolfads_trainer.engine.step import Engine
from autolfads_trainer.model.noise import Samples, draw_samples
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import Reference


def close(ours: Tensor, theirs: Tensor) -> bool:
    return torch.allclose(ours.double(), theirs.double(), rtol=1e-9, atol=1e-12, equal_nan=True)


Answer = tuple[dict[str, Tensor], list[Tensor], dict[str, float]]


def in_double_precision(member: Member) -> Dataset:
    """Let a member compute in double precision; return its training data so, for both splits."""
    randomised(member.model).double()
    hp = member.hp
    hp.values = {name: value.double() for name, value in hp.values.items()}
    hp.kl_ramp, hp.l2_ramp = (torch.tensor(value, dtype=torch.float64) for value in (0.7, 0.4))
    sessions = []
    for session in member.data.sessions:
        there = {name: value for name, value in vars(session.train).items() if value is not None}
        split = Split(**{"truth": None, **{name: value.double() for name, value in there.items()}})
        sessions.append(Session(split, split))
    return Dataset(tuple(sessions))


def answers(**settings: Any) -> tuple[Answer, Answer]:
    member = small_member(data=data_for(settings), **settings)
    both = in_double_precision(member)
    draws = converted(member.drawer.draw(), torch.float64)
    trained = [p for p in member.model.parameters() if p.requires_grad]
    found = []
    for way in (Engine(both), Reference(both)):
        scores = Scores(member.model.sizes, both.device)
        loss = way.training_loss(member.model, member.train_stack, draws, member.hp, scores)
        gradients = torch.autograd.grad(loss.total, trained, materialize_grads=True)
        found.append((loss.parts, list(gradients), scores.read()))
    return found[0], found[1]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        NO_CONTROLLER,
        {"ext_input_dim": 2},
        {"ic_enc_seq_len": 2},
        {"cd": {"cd_rate": 0.0}},
        {"cd": {"cd_rate": 0.6, "cd_pass_rate": 0.4}},
        {"cd": {"cd_rate": 0.6, "cd_pass_rate": 0.4}, "ic_enc_seq_len": 2},
        {"recon_seq_len": 6, "recon_data_dim": 3},
        *OTHERS.values(),
    ],
)
def test_the_loss_its_gradients_and_the_scores_are_the_references(settings: Any) -> None:
    (parts, gradients, scores), (their_parts, their_gradients, their_scores) = answers(**settings)
    assert parts.keys() == their_parts.keys()
    for name, value in their_parts.items():
        assert close(parts[name], value), name
    scale = max(float(each.abs().max()) for each in their_gradients if each.numel())
    for ours, theirs in zip(gradients, their_gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-11 * scale)
    assert scores == pytest.approx(their_scores, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("batch_size", [1, 3, 99])
@pytest.mark.parametrize(
    "settings",
    [{}, NO_CONTROLLER, {"ext_input_dim": 2}, {"ic_enc_seq_len": 2}, *OTHERS.values()],
)
def test_a_validation_gives_the_references_parts_and_scores(settings: Any, batch_size: int) -> None:
    member = small_member(data=data_for(settings), **settings)
    both, found = in_double_precision(member), []
    sizes, generator = member.model.sizes, torch.Generator().manual_seed(3)
    trials = sum(session.valid.trials for session in both.sessions)
    drawn = draw_samples(sizes, trials, generator)
    noise = Samples(*(each.double() for each in drawn))
    for way in (Engine(both), Reference(both)):
        scores = Scores(member.model.sizes, both.device)
        parts = way.validation_pass(
            member.model, member.infer_stack, noise, member.hp, scores, batch_size=batch_size
        )
        found.append((parts, scores.read()))
    (parts, scores), (their_parts, their_scores) = found
    assert parts.keys() == their_parts.keys()
    for name, value in their_parts.items():
        assert close(parts[name], value), name
        assert not parts[name].requires_grad
    assert scores == pytest.approx(their_scores, rel=1e-9, nan_ok=True)
