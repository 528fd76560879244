"""A run ends once its best score improves too little over the last generations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_operator.pbt import has_stopped_improving

SCORES = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("best_scores", "patience", "ratio", "stopped"),
    [
        # never before patience + 1 generations
        ([], 4, 5e-4, False),
        ([0.4, 0.4, 0.4, 0.4], 4, 5e-4, False),
        ([0.4, 0.4, 0.4, 0.4, 0.4], 4, 5e-4, True),
        ([0.4], 1, 5e-4, False),
        ([0.4, 0.4], 1, 5e-4, True),
        # (3 - 2) / 2 is exactly the ratio; the mean is over the last generations alone
        ([3.0, 2.0, 2.0, 2.0, 2.0], 4, 0.5, True),
        ([3.0, 2.0, 2.0, 2.0, 2.0], 4, 0.49, False),
        ([9.0, 3.0, 2.0, 2.0, 2.0, 2.0], 4, 0.5, True),
        ([4.0, 4.0, 1.0], 2, 1.2, True),  # 3 / 2.5
        ([4.0, 4.0, 1.0], 2, 1.19, False),
        # compared with patience generations ago, no later and no earlier
        ([4.0, 2.0, 2.0, 2.0], 2, 0.1, True),
        ([4.0, 2.0, 2.0, 2.0], 3, 0.1, False),
        # the running best: a generation that is worse is neither a step back nor one forward
        ([2.0, 9.0, 9.0, 9.0], 2, 0.1, True),
        ([2.0, 9.0, 2.0], 1, 0.1, True),
        ([2.0, 9.0, 1.0], 1, 0.1, False),
        # negative scores: -2 is better than -1
        ([-1.0, -2.0], 1, 0.5, True),
        ([-1.0, -2.0], 1, 0.49, False),
        ([-2.0, -1.0], 1, 0.1, True),
        # a mean of 0
        ([0.0, 0.0, 0.0], 2, 5e-4, True),
        ([1.0, 0.0], 1, 5e-4, False),
        ([1.0, 0.0, 0.0], 1, 5e-4, True),
        # a ratio of 0 stops only when nothing has improved at all
        ([1.0, 0.999999], 1, 0.0, False),
        ([1.0, 1.0], 1, 0.0, True),
    ],
)
def test_the_rule_looks_at_the_improvement_relative_to_the_scores(
    best_scores: list[float], patience: int, ratio: float, stopped: bool
) -> None:
    found = has_stopped_improving(best_scores, patience=patience, min_improvement_ratio=ratio)
    assert found is stopped


@settings(deadline=None)
@given(
    best_scores=st.lists(SCORES, min_size=1, max_size=12),
    patience=st.integers(1, 5),
    worse=st.floats(0, 1e6),
)
def test_a_run_that_no_longer_improves_ends_after_patience_generations(
    best_scores: list[float], patience: int, worse: float
) -> None:
    best_scores = best_scores + [min(best_scores) + worse] * patience
    assert has_stopped_improving(best_scores, patience=patience, min_improvement_ratio=5e-4)


@settings(deadline=None)
@given(start=st.floats(1, 100), patience=st.integers(1, 5), generations=st.integers(1, 20))
def test_a_run_that_improves_by_a_percent_each_generation_goes_on(
    start: float, patience: int, generations: int
) -> None:
    best_scores = [start * 0.99**generation for generation in range(generations)]
    assert not has_stopped_improving(best_scores, patience=patience, min_improvement_ratio=5e-4)


def test_patience_is_at_least_one_generation() -> None:
    with pytest.raises(ValueError, match="patience is 0; expected at least 1 generation"):
        has_stopped_improving([1.0, 1.0], patience=0, min_improvement_ratio=0.1)
