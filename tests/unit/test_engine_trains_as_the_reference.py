"""Whole generations by the engine and by the reference, from the same seed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from small_models import NO_CONTROLLER, OTHERS, data_for, never, small_member, weights

from autolfads_trainer.engine.step import Engine
from autolfads_trainer.training.member import Member
from autolfads_trainer.training.step import Reference

CASES: list[dict[str, Any]] = [
    {},
    NO_CONTROLLER,
    {"ext_input_dim": 2, "ic_enc_seq_len": 2, "cell_clip": 0.6},
    {"readin": [{"_target_": "lfads_torch.modules.readin_readout.FanInLinear", "out_features": 2}]},
    OTHERS["Gaussian"],
    OTHERS["ZeroInflatedGamma"],
    OTHERS["not variational"],
]


def trained(engine: str, settings: dict[str, Any]) -> Member:
    data = data_for(settings)
    member = small_member(epochs=4, data=data, trainer={"engine": engine}, **settings)
    member.train(never)
    return member


def test_the_engine_is_used_unless_the_reference_is_asked_for() -> None:
    assert isinstance(small_member().way, Engine)
    assert isinstance(small_member(trainer={"engine": "reference"}).way, Reference)


@pytest.mark.parametrize("settings", CASES)
def test_they_end_with_the_same_weights_and_say_the_same_on_the_way(settings: Any) -> None:
    ours, theirs = trained("auto", settings), trained("reference", settings)
    for one, other in zip(ours.progress.rows, theirs.progress.rows, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            assert one[name] == pytest.approx(value, rel=2e-3, abs=1e-4, nan_ok=True), name
    expected = weights(theirs.model)
    for name, value in weights(ours.model).items():
        # A weight whose gradient is but rounding goes where that points.
        assert torch.allclose(value, expected[name], rtol=1e-2, atol=5e-3), name


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_an_epoch_that_is_not_finite_ends_the_leg(engine: str) -> None:
    member = small_member(epochs=3, trainer={"engine": engine})
    with torch.no_grad():
        member.model.readout[0].bias.fill_(math.inf)  # type: ignore[union-attr, operator]
    assert member.train(never)
    assert member.lost
    assert member.progress.epoch == 1
