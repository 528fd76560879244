"""The kernels as a GPU runs them: each number is that of the loops they stand for."""

from __future__ import annotations

import pytest
import torch
from loop_examples import (
    CASES,
    assert_same,
    gradients,
    in_kind,
    leaves,
    random,
    sequence_of,
    settings_of,
    tensors_of,
)

from autolfads_trainer.engine.loops import STEPWISE, loops_for

# Those of the yardstick, but for the time steps.
SEQUENCE = (3, 9, 250, 138, 64)
LOOP = {"members": 3, "steps": 9, "trials": 250, "generator": 200, "factors": 100}
LOOP |= {"controller": 64, "outputs": 4, "encoded": 64}
EXACT, ROUNDED = 1e-3, 3e-2


@pytest.fixture(params=["ieee", "tf32"])
def relative(request: pytest.FixtureRequest, gpu: torch.device) -> float:
    """How near products are, in both precisions."""
    torch.backends.cuda.matmul.fp32_precision = request.param
    assert loops_for(torch.zeros(1, device=gpu)) is not STEPWISE
    return EXACT if request.param == "ieee" else ROUNDED


@pytest.mark.parametrize("back", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("clip", [5.0, 0.3])
def test_a_sequence(gpu: torch.device, relative: float, clip: float, back: bool) -> None:
    draw = random(3, str(gpu))
    tensors = sequence_of(draw, SEQUENCE)
    weights = [draw(*SEQUENCE[:3], SEQUENCE[-1])]
    ours, theirs = leaves(tensors, torch.float32), leaves(tensors, torch.float64)
    found = loops_for(tensors[0]).sequence(*ours, clip, back)
    expected = STEPWISE.sequence(*theirs, clip, back)
    assert_same([found], [expected], relative)
    assert_same(gradients([found], ours, weights), gradients([expected], theirs, weights), relative)


@pytest.mark.parametrize("case", CASES)
def test_the_decoder(gpu: torch.device, relative: float, case: str) -> None:
    draw = random(len(case), str(gpu))
    settings, tensors = settings_of(draw, LOOP, case), tensors_of(draw, LOOP, case)
    ours, theirs = leaves(tensors, torch.float32), leaves(tensors, torch.float64)
    found = loops_for(tensors[0]).decoder(settings, *ours)
    expected = STEPWISE.decoder(in_kind(settings, torch.float64), *theirs)
    assert_same(found, expected, relative)
    of = [draw(*each.shape) for each in found]
    assert_same(gradients(found, ours, of), gradients(expected, theirs, of), relative)
