"""The plateau schedule, against torch's."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_trainer.training.plateau import Plateau

# Few different values, so that equal metrics are common.
metrics = st.lists(st.one_of(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), st.floats(-2, 2)), max_size=40)


@settings(deadline=None)
@given(
    metrics=metrics,
    patience=st.integers(0, 4),
    decay=st.sampled_from([0.5, 0.95]),
    floor=st.sampled_from([0.0, 1e-3, 3e-3]),
)
def test_it_is_step_for_step_torch_s_reduction_on_a_plateau(
    metrics: list[float], patience: int, decay: float, floor: float
) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=4e-3)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "min", factor=decay, patience=patience, threshold=0, min_lr=floor, eps=0
    )
    ours, lr = Plateau(decay, patience, floor), 4e-3
    for metric in metrics:
        theirs.step(metric)
        lr = ours.next_rate(lr, metric)
        assert lr == optimizer.param_groups[0]["lr"]


def test_the_rate_falls_after_more_than_patience_epochs_without_a_new_best() -> None:
    plateau = Plateau(decay=0.5, patience=2, floor=0.0)
    rates = [plateau.next_rate(8.0, metric) for metric in (3.0, 3.0, 4.0, 3.0, 3.5, 2.9, 3.0)]
    assert rates == [8.0, 8.0, 8.0, 4.0, 8.0, 8.0, 8.0]


@pytest.mark.parametrize(("start", "expected"), [(1e-2, 5e-3), (3e-3, 2e-3), (1e-3, 1e-3)])
def test_the_floor_stops_a_fall_and_raises_nothing(start: float, expected: float) -> None:
    plateau = Plateau(decay=0.5, patience=0, floor=2e-3, best=0.0)
    assert plateau.next_rate(start, 1.0) == expected


def test_a_metric_that_is_not_a_number_is_no_new_best() -> None:
    plateau = Plateau(decay=0.5, patience=0, floor=0.0)
    assert plateau.next_rate(1.0, math.nan) == 0.5
    assert plateau.next_rate(1.0, 7.0) == 1.0


@given(before=metrics, after=metrics, patience=st.integers(0, 3))
def test_it_goes_on_where_its_state_was_taken(
    before: list[float], after: list[float], patience: int
) -> None:
    straight = Plateau(0.5, patience, 0.0)
    for metric in before:
        straight.next_rate(1.0, metric)
    restored = Plateau(0.5, patience, 0.0)
    restored.restore(straight.state())
    for metric in after:
        assert restored.next_rate(1.0, metric) == straight.next_rate(1.0, metric)
