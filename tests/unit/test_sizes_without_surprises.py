"""From two time steps to two thousand, from one channel to two thousand: all of it trains."""

from __future__ import annotations

import math

import pytest
import torch
from small_models import NO_CONTROLLER, randomised, small_data, small_member

from autolfads_trainer.training.step import Reference

SHORT = {"encod_seq_len": 2, "recon_seq_len": 2}
TINY = {"encod_data_dim": 1, "recon_data_dim": 1}
CASES = {
    "two steps of one channel": {**SHORT, **TINY},
    "two steps, one to be forecast": {"encod_seq_len": 1, "recon_seq_len": 2, **NO_CONTROLLER},
    "two thousand steps": {"encod_seq_len": 1990, "recon_seq_len": 2000},
    "two thousand channels": {**SHORT, "encod_data_dim": 1900, "recon_data_dim": 2000},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_step_and_a_validation_are_the_references(case: dict[str, int]) -> None:
    data = small_data(**case)
    losses = []
    for engine in ("auto", "reference"):
        member = small_member(data=data, trainer={"engine": engine}, **case)
        randomised(member.model)
        assert isinstance(member.way, Reference) == (engine == "reference")
        draws = member.drawer.draw()
        loss = member.way.training_loss(member.model, member.train_stack, draws, member.hp)
        trained = [p for p in member.model.parameters() if p.requires_grad]
        gradients = torch.autograd.grad(loss.total, trained, materialize_grads=True)
        assert all(torch.isfinite(each).all() for each in gradients)
        row = member.validated()
        assert math.isfinite(row["recon"])
        losses.append((float(loss.total.detach()), row["recon"]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
