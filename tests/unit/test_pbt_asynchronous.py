"""Asynchronous decisions: one opponent, its newest score up to here, and nobody waits."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autolfads_operator.pbt import LoneDecision, Rival, decide_alone, opponent, rival_of

HERE = {"generation": 3}
NOT_COUNTED = [None, math.nan, math.inf, -math.inf]


@given(st.integers(0, 2**31), st.integers(1, 99), st.integers(2, 9), st.data())
def test_an_opponent_is_another_member_and_always_the_same(seed, generation, population, data):
    member = data.draw(st.integers(0, population - 1))
    asked = {"seed": seed, "generation": generation, "member": member, "population": population}
    found = opponent(**asked)
    assert found == opponent(**asked)
    assert found != member
    assert found is not None
    assert 0 <= found < population


def test_every_other_member_is_drawn_about_as_often():
    drawn = Counter(
        opponent(seed=seed, generation=2, member=1, population=4) for seed in range(3000)
    )
    assert set(drawn) == {0, 2, 3}
    assert all(900 < times < 1100 for times in drawn.values())


def test_a_member_alone_has_no_opponent():
    assert opponent(seed=1, generation=1, member=0, population=1) is None
    nobody = rival_of(0, 0.5, seed=1, generation=1, population=1, newest=lambda *_: (1, 0.1))
    assert nobody is None
    decision = decide_alone(0, 0.5, None, **HERE)
    assert decision == LoneDecision(0, (0, 3), False, None, "no opponent")
    assert decide_alone(0, None, None, **HERE) is None


def test_draws_differ_between_generations_members_and_seeds():
    def draws(**changes):
        asked = {"seed": 5, "generation": 4, "member": 0, "population": 50} | changes
        return [opponent(**{**asked, "seed": asked["seed"] + shift}) for shift in range(8)]

    assert draws() != draws(generation=5)
    assert draws() != draws(member=1)
    assert draws() != draws(seed=1000)


@pytest.mark.parametrize(
    ("own", "theirs", "copies", "why"),
    [
        (0.5, 0.4, True, "lost to member 2 as of generation 1 (0.5 > 0.4)"),
        (0.4, 0.5, False, "beat member 2 as of generation 1 (0.4 < 0.5)"),
        (0.5, 0.5, False, "tied with member 2 as of generation 1 (0.5 = 0.5)"),
        (
            0.50001,
            0.5,
            True,
            "lost to member 2 as of generation 1 (0.50001 > 0.5)",
        ),
    ],
)
def test_the_worse_becomes_a_copy_of_the_better(own, theirs, copies, why):
    rival = Rival(2, 1, theirs)
    parent = (2, 1) if copies else (0, 3)
    assert decide_alone(0, own, rival, **HERE) == LoneDecision(0, parent, copies, rival, why)


def test_an_opponent_without_a_score_leaves_a_member_as_it_is():
    decision = decide_alone(0, 0.5, Rival(2), **HERE)
    why = "its opponent, member 2, has no score"
    assert decision == LoneDecision(0, (0, 3), False, Rival(2), why)


@pytest.mark.parametrize("score", NOT_COUNTED)
def test_a_lost_member_becomes_a_copy(score):
    decision = decide_alone(0, score, Rival(2, 1, 9.0), **HERE)
    assert decision is not None
    assert (decision.parent, decision.copies) == ((2, 1), True)
    assert decision.why.endswith("replaced by member 2 as of generation 1")


@pytest.mark.parametrize("score", NOT_COUNTED)
@pytest.mark.parametrize("theirs", NOT_COUNTED)
def test_a_lost_member_waits_as_long_as_nobody_has_a_score(score, theirs):
    assert decide_alone(0, score, Rival(2, 1, theirs), **HERE) is None
    assert decide_alone(0, score, Rival(2), **HERE) is None


def asked_of(table):
    """Return a board that knows these scores, by (member, generation), and who was asked for."""

    def newest(member, up_to):
        known = [(g, s) for (m, g), s in table.items() if m == member and g <= up_to]
        return max(known) if known else None

    return newest


def drawn_for(member: int, generation: int, population: int, wanted: int) -> int:
    """Return a seed with which the member draws the wanted opponent."""
    return next(
        seed
        for seed in range(1000)
        if opponent(seed=seed, generation=generation, member=member, population=population)
        == wanted
    )


def test_the_opponents_newest_score_up_to_this_generation_is_compared_with():
    seed = drawn_for(0, 3, 4, wanted=2)
    newest = asked_of({(2, 1): 0.9, (2, 3): 0.7, (2, 4): 0.1, (1, 3): 0.0})
    found = rival_of(0, 0.8, seed=seed, generation=3, population=4, newest=newest)
    assert found == Rival(2, 3, 0.7)


def test_a_lost_member_whose_opponent_has_no_score_is_replaced_by_the_best():
    seed = drawn_for(0, 3, 5, wanted=2)
    table = {(1, 3): 0.5, (3, 2): 0.4, (4, 3): 0.4, (1, 4): 0.0, (0, 2): 0.1}
    asked = {"seed": seed, "generation": 3, "population": 5, "newest": asked_of(table)}
    assert rival_of(0, None, **asked) == Rival(3, 2, 0.4)  # of equals the lowest member
    assert rival_of(0, math.nan, **asked) == Rival(3, 2, 0.4)
    assert rival_of(0, 0.9, **asked) == Rival(2)  # it has a score itself, and goes on


def test_a_lost_member_has_nobody_to_copy_at_first():
    seed = drawn_for(0, 3, 4, wanted=2)
    found = rival_of(0, None, seed=seed, generation=3, population=4, newest=asked_of({}))
    assert found == Rival(2)
