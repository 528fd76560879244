from __future__ import annotations

import math

import pytest
from report_history import family, leg

from autolfads_trainer.results.history import History, series


def test_a_lineage_follows_copies_back_to_the_first_ancestor():
    history = family()

    assert [own.key for own in history.best_lineage()] == [(1, 1), (0, 2), (0, 3)]
    assert [own.key for own in history.lineage(history.leg((2, 3)))] == [(1, 1), (0, 2), (2, 3)]


def test_population_generations_and_ends_are_read_from_the_legs():
    history = family()

    assert (history.population, history.generations) == (3, 3)
    assert [own.key for own in history.tips()] == [(0, 3), (1, 3), (2, 3)]
    assert [own.key for own in history.lost()] == [(2, 2)]
    assert (2, 2) not in history.parents()


@pytest.mark.parametrize("score", [None, math.nan, math.inf])
def test_a_member_whose_score_is_missing_or_not_finite_is_lost(score):
    history = History("x", 0, (leg(0, 1), leg(1, 1, score=score)), (0, 1))

    assert [own.key for own in history.survivors()] == [(0, 1)]


def test_a_missing_metric_is_nan_along_a_lineage():
    epochs, bps = series([leg(0, 1, rows=({"epoch": 3.0},))], "valid/bps")

    assert epochs == [3.0]
    assert math.isnan(bps[0])


@pytest.mark.parametrize(
    ("legs", "best", "said"),
    [
        ((leg(0, 1), leg(0, 1)), (0, 1), "member 0 in generation 1 is given twice"),
        ((leg(0, 2, (1, 1)),), (0, 2), "member 1 in generation 1, which is missing"),
        ((leg(0, 1, (1, 1)), leg(1, 1)), (0, 1), "cannot start from member 1 in generation 1"),
        ((leg(0, 1),), (4, 2), "the best, member 4 in generation 2, is missing"),
    ],
)
def test_legs_that_are_no_history_are_refused(legs, best, said):
    with pytest.raises(ValueError, match=said):
        History("x", 0, legs, best)
