"""The floor of `benchmarks/step.py`: the products that a step of the reference really has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


class Counted(TorchDispatchMode):
    """Counts the multiplications and additions of matrix products."""

    flop = 0

    def __torch_dispatch__(
        self, call: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        given = kwargs or {}
        found = call(*args, **given)
        count = flop_registry.get(call._overloadpacket)
        if count is not None:
            self.flop += count(*args, **given, out_val=found)
        return found


def test_they_are_those_of_a_training_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import products  # noqa: PLC0415
    import yardstick  # noqa: PLC0415

    listed = sum(each.flop for each in products.products())
    assert listed == pytest.approx(21.5e9, rel=1e-4)
    few = 4  # trials, to which it is in proportion
    data = yardstick.dataset(torch.device("cpu"), few)
    member = yardstick.member(data, engine="reference")
    with Counted() as counted:
        member.take_step()
    assert counted.flop == pytest.approx(listed * few / products.BATCH, rel=1e-6)
