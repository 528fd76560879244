"""The kernels of a GPU, by Triton's interpreter: each number is that of the loops they stand for.

What a GPU makes of them is seen in `tests/gpu`.
"""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"  # read where kernels are defined, which is below

import pytest
import torch
from loop_examples import (
    CASES,
    assert_same,
    compare_decoders,
    compare_sequences,
    random,
    settings_of,
    tensors_of,
)
from torch import Tensor

from autolfads_trainer.engine.loops import STEPWISE, Loops, loops_for

pytest.importorskip("triton", reason="kernels are written in Triton")
from autolfads_trainer.engine import fused

FUSED = Loops(fused.sequence, fused.decoder)
NEAR = 1e-4
# Members, steps, trials, inputs, units: pieces that are cut off, and more of them than one.
SEQUENCES = {"small": (2, 3, 3, 5, 4), "many trials": (1, 2, 18, 3, 6), "wide": (1, 2, 5, 7, 66)}
LOOPS: dict[str, dict[str, int]] = {
    "many trials": {"trials": 18, "steps": 2},
    "wide": {"members": 1, "steps": 2, "generator": 67, "factors": 66, "controller": 33},
    "one step": {"steps": 1},
    "as many outputs as a piece has": {"steps": 1, "outputs": 64},
    "more outputs": {"steps": 1, "outputs": 65},
}


@pytest.mark.parametrize("back", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("clip", [5.0, 0.3])
@pytest.mark.parametrize("sizes", SEQUENCES.values(), ids=SEQUENCES)
def test_a_sequence(sizes: tuple[int, ...], clip: float, back: bool) -> None:
    compare_sequences(FUSED, random(3), sizes, clip, back, NEAR)


@pytest.mark.parametrize(
    ("case", "sizes"),
    [*((case, {}) for case in CASES), *(("usual", sizes) for sizes in LOOPS.values())],
    ids=[*CASES, *LOOPS],
)
def test_the_decoder(case: str, sizes: dict[str, int]) -> None:
    usual = {"members": 2, "steps": 3, "trials": 4, "generator": 7, "factors": 5}
    size = {**usual, "controller": 6, "outputs": 2, "encoded": 3, **sizes}
    compare_decoders(FUSED, random(len(case)), size, case, NEAR)


def test_without_an_axis_of_members() -> None:
    draw = random(3)
    inputs = [draw(3, 4, 5), draw(4, 6), draw(18, 5), draw(18, 6)]
    found = fused.sequence(*inputs, 5.0, False)
    assert_same([found], [STEPWISE.sequence(*(each.double() for each in inputs), 5.0, False)])
    size = {"members": 1, "steps": 3, "trials": 4, "generator": 7, "factors": 5}
    size |= {"controller": 6, "outputs": 2, "encoded": 3}
    settings, tensors = settings_of(draw, size, "usual"), tensors_of(draw, size, "usual")
    alone: dict[str, Any] = {
        field.name: value.squeeze(0)
        for field in fields(settings)
        if isinstance(value := getattr(settings, field.name), Tensor)
    }
    few = fused.decoder(replace(settings, **alone), *(each.squeeze(0) for each in tensors))
    assert_same(few, [each.double().squeeze(0) for each in fused.decoder(settings, *tensors)])


def test_what_is_no_number_stays_with_its_trial() -> None:
    draw = random(4)
    tensors = [draw(2, 3, 5, 4), draw(2, 5, 6), draw(2, 18, 4), draw(2, 18, 6)]
    tensors[0][1, 1, 2, 0] = torch.nan
    states = fused.sequence(*tensors, 5.0, False)
    wrong = states.isnan().flatten(3).any(-1)
    assert wrong.nonzero().tolist() == [[1, 1, 2], [1, 2, 2]]


def test_a_cpu_goes_step_by_step() -> None:
    assert loops_for(torch.zeros(1)) is STEPWISE
