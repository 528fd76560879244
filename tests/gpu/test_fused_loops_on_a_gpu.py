"""The kernels as a GPU runs them: each number is that of the loops they stand for."""

from __future__ import annotations

import pytest
import torch
from loop_examples import CASES, compare_decoders, compare_sequences, random

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
    loops = loops_for(torch.zeros(1, device=gpu))
    compare_sequences(loops, random(3, str(gpu)), SEQUENCE, clip, back, relative)


@pytest.mark.parametrize("case", CASES)
def test_the_decoder(gpu: torch.device, relative: float, case: str) -> None:
    loops = loops_for(torch.zeros(1, device=gpu))
    compare_decoders(loops, random(len(case), str(gpu)), LOOP, case, relative)
