"""The best score of the run is its result, and lost scores never count."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_operator.pbt import best, best_of_each_generation, finite, has_stopped_improving

NAN, INF = math.nan, math.inf
Scores = dict[tuple[int, int], float | None]


def test_only_finite_scores_count() -> None:
    scores = {0: 0.5, 1: None, 2: NAN, 3: INF, 4: -INF, 5: 0.0, 6: -1.0}
    assert finite(scores) == {0: 0.5, 5: 0.0, 6: -1.0}


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({(1, 0): 0.5, (1, 1): 0.4, (2, 0): 0.45}, (1, 1)),
        ({(2, 0): 0.3, (1, 0): 0.4}, (2, 0)),
        ({(1, 0): 0.5, (2, 0): 0.4, (3, 0): 0.4}, (2, 0)),  # equal: the earliest generation
        ({(3, 0): 0.4, (2, 5): 0.4}, (2, 5)),  # though its member has the higher number
        ({(1, 3): 0.4, (1, 2): 0.4}, (1, 2)),  # then the lowest member
        ({(10, 0): 0.4, (9, 0): 0.4}, (9, 0)),  # by number, not as text
        ({(1, 0): NAN, (1, 1): -INF, (1, 2): 0.4, (2, 0): None, (2, 1): INF}, (1, 2)),
        ({(1, 0): -0.4, (1, 1): 0.0}, (1, 0)),  # a negative loss is better than none
        ({(1, 0): NAN, (2, 0): None}, None),
        ({}, None),
    ],
)
def test_the_best_score_at_the_end_of_any_generation_is_the_result(
    scores: Scores, expected: tuple[int, int] | None
) -> None:
    assert best(scores) == expected


@settings(deadline=None)
@given(
    scores=st.dictionaries(
        st.tuples(st.integers(1, 9), st.integers(0, 9)),
        st.one_of(st.none(), st.floats(), st.sampled_from([0.1, 0.2])),
    )
)
def test_nothing_is_better_than_the_best_and_nothing_as_good_came_first(scores: Scores) -> None:
    found = best(scores)
    if found is None:
        assert finite(scores) == {}
        return
    for key, score in finite(scores).items():
        score_found = scores[found]
        assert score_found is not None
        assert (score_found, found) <= (score, key)


def test_each_generation_is_known_by_its_best_finite_score_in_order() -> None:
    scores: Scores = {(2, 0): NAN, (2, 1): 0.4, (10, 0): 0.2, (1, 0): 0.5, (1, 1): 0.6, (1, 2): INF}
    assert best_of_each_generation(scores) == (0.5, 0.4, 0.2)


def test_known_error_3_a_lost_member_never_blocks_the_stopping_rule() -> None:
    scores: Scores = {}
    for generation in range(1, 6):
        scores[generation, 0] = 0.4
        scores[generation, 1] = None if generation == 1 else NAN
        scores[generation, 2] = -INF
    bests = best_of_each_generation(scores)
    assert bests == (0.4,) * 5
    assert has_stopped_improving(bests, patience=4, min_improvement_ratio=5e-4)
