"""At the end of a generation the worse of each random pair becomes a copy of the better."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autolfads_operator.pbt import AllLost, Decision, decide

NAN, INF = math.nan, math.inf
LOST: list[float | None] = [None, NAN, INF, -INF]
Scores = dict[int, float | None]
SEEDS = st.integers(0, 2**32)
SCORE_LISTS = st.lists(
    st.one_of(st.none(), st.floats(), st.sampled_from([0.1, 0.2, 0.3])), min_size=1, max_size=12
)


def _is_lost(score: float | None) -> bool:
    return score is None or not math.isfinite(score)


def _pairs(population: int, seed: int, generation: int) -> dict[int, int]:
    """Who meets whom, as `decide` tells it when member n scores n: nobody ties, nobody is lost."""
    decisions = decide({n: float(n) for n in range(population)}, seed=seed, generation=generation)
    opponents = {}
    for decision in decisions:
        if decision.copies:
            opponents[decision.member] = decision.parent
            opponents[decision.parent] = decision.member
    return opponents


def test_the_worse_of_a_pair_copies_the_better() -> None:
    assert decide({0: 0.4123, 3: 0.4051}, seed=0, generation=1) == (
        Decision(0, 3, True, "lost to member 3 (0.4123 > 0.4051)"),
        Decision(3, 3, False, "beat member 0 (0.4051 < 0.4123)"),
    )


def test_a_better_score_is_a_lower_one_also_below_zero() -> None:
    loser, winner = decide({0: -1.0, 1: -2.0}, seed=0, generation=1)
    assert (loser.parent, loser.copies) == (1, True)
    assert (winner.parent, winner.copies) == (1, False)


def test_scores_are_told_in_as_many_digits_as_it_takes_to_tell_them_apart() -> None:
    loser, winner = decide({0: 0.41234567, 1: 0.41234512}, seed=0, generation=1)
    assert loser.why == "lost to member 1 (0.412346 > 0.412345)"
    assert winner.why == "beat member 0 (0.412345 < 0.412346)"
    loser, _ = decide({0: math.nextafter(0.3, 1), 1: 0.3}, seed=0, generation=1)
    assert loser.why == "lost to member 1 (0.30000000000000004 > 0.29999999999999999)"


def test_of_a_tie_nobody_is_worse() -> None:
    assert decide({0: 0.40512, 1: 0.40512}, seed=0, generation=1) == (
        Decision(0, 0, False, "tied with member 1 (0.4051)"),
        Decision(1, 1, False, "tied with member 0 (0.4051)"),
    )


def test_a_population_of_one_trains_without_tuning() -> None:
    assert decide({0: 0.5}, seed=0, generation=1) == (
        Decision(0, 0, False, "no opponent this time"),
    )


@pytest.mark.parametrize("score", LOST)
def test_known_error_3_a_missing_or_infinite_score_loses_to_any_other(score: float | None) -> None:
    assert decide({0: score, 1: 1e300}, seed=0, generation=1) == (
        Decision(0, 1, True, "score missing or not finite; replaced by its opponent, member 1"),
        Decision(1, 1, False, "beat member 0 (score missing or not finite)"),
    )


@pytest.mark.parametrize("one", LOST)
@pytest.mark.parametrize("other", LOST)
def test_known_error_3_both_of_a_pair_lost_copy_the_generations_best(
    one: float | None, other: float | None
) -> None:
    pairs = _pairs(6, seed=5, generation=2)
    first, second = 0, pairs[0]
    rest = [member for member in range(6) if member not in (first, second)]
    scores: Scores = dict.fromkeys(rest, 0.5)
    best = rest[2]
    scores |= {first: one, second: other, best: 0.1}
    decisions = {d.member: d for d in decide(scores, seed=5, generation=2)}
    assert decisions[first] == Decision(
        first,
        best,
        True,
        f"score missing or not finite, so is that of its opponent, member {second}; "
        f"replaced by this generation's best, member {best}",
    )
    assert decisions[second].parent == best
    assert decisions[second].copies


def test_of_equal_bests_the_lowest_member_is_copied() -> None:
    pairs = _pairs(6, seed=5, generation=2)
    first, second = 5, pairs[5]
    scores: Scores = dict.fromkeys(reversed(range(6)), 0.5)
    scores |= {first: None, second: NAN}
    lowest = min(member for member in range(6) if member not in (first, second))
    decisions = {d.member: d for d in decide(scores, seed=5, generation=2)}
    assert decisions[first].parent == decisions[second].parent == lowest


@pytest.mark.parametrize("population", [3, 5, 7])
def test_an_odd_population_leaves_one_member_as_it_is(population: int) -> None:
    scores: Scores = {n: float(n) for n in range(population)}
    left_out = set(range(population)) - set(_pairs(population, seed=1, generation=3))
    decisions = [d for d in decide(scores, seed=1, generation=3) if d.member in left_out]
    (member,) = left_out
    assert decisions == [Decision(member, member, False, "no opponent this time")]


@pytest.mark.parametrize("score", LOST)
def test_known_error_3_a_lost_member_without_opponent_copies_the_generations_best(
    score: float | None,
) -> None:
    (left_out,) = set(range(5)) - set(_pairs(5, seed=1, generation=3))
    scores: Scores = {n: 1.0 - n / 10 for n in range(5)}
    scores[left_out] = score
    best = max(member for member in range(5) if member != left_out)
    decision = decide(scores, seed=1, generation=3)[left_out]
    assert decision == Decision(
        left_out,
        best,
        True,
        "score missing or not finite, no opponent; "
        f"replaced by this generation's best, member {best}",
    )


@pytest.mark.parametrize("scores", [{0: NAN}, {0: None, 1: INF}, {0: -INF, 1: NAN, 2: None}, {}])
def test_a_generation_in_which_all_are_lost_ends_the_run(scores: Scores) -> None:
    with pytest.raises(AllLost, match="all scores are NaN or infinite"):
        decide(scores, seed=0, generation=1)


@settings(deadline=None)
@given(values=SCORE_LISTS, seed=SEEDS, generation=st.integers(1, 500))
def test_known_error_3_no_mixture_of_scores_blocks_a_generation(
    values: list[float | None], seed: int, generation: int
) -> None:
    scores = dict(enumerate(values))
    if all(map(_is_lost, values)):
        with pytest.raises(AllLost):
            decide(scores, seed=seed, generation=generation)
        return
    decisions = decide(scores, seed=seed, generation=generation)
    assert [d.member for d in decisions] == list(range(len(values)))
    copies = 0
    for d in decisions:
        own, parents = scores[d.member], scores[d.parent]
        assert d.copies is (d.parent != d.member)
        assert d.copies or not _is_lost(own)
        assert parents is not None
        assert math.isfinite(parents)
        assert own is None or _is_lost(own) or not d.copies or own > parents
        copies += d.copies and own is not None and math.isfinite(own)
    assert copies <= len(values) / 2


@settings(deadline=None)
@given(population=st.integers(2, 20), seed=SEEDS, generation=st.integers(1, 500))
def test_each_member_meets_one_other_whatever_the_scores(
    population: int, seed: int, generation: int
) -> None:
    pairs = _pairs(population, seed, generation)
    assert len(pairs) == population // 2 * 2
    for member, opponent in pairs.items():
        assert member != opponent
        assert pairs[opponent] == member


@settings(deadline=None)
@given(population=st.integers(1, 9), seed=SEEDS, generation=st.integers(1, 500))
def test_known_error_5_decisions_depend_on_seed_generation_and_scores_alone(
    population: int, seed: int, generation: int
) -> None:
    scores: Scores = {n: abs(n - 3.5) for n in range(population)}
    again: Scores = dict(reversed(scores.items()))  # as another controller may have read them
    decided = decide(scores, seed=seed, generation=generation)
    assert decide(again, seed=seed, generation=generation) == decided


def test_known_error_5_pairs_stay_what_they_were_when_the_first_runs_were_recorded() -> None:
    # Written down once. If this fails, recorded runs can no longer be replayed: mend the code.
    assert _pairs(8, seed=0, generation=1) == {
        4: 0, 0: 4, 5: 7, 7: 5, 3: 2, 2: 3, 6: 1, 1: 6
    }  # fmt: skip


def test_pairs_are_drawn_anew_for_each_generation_and_seed_and_all_are_equally_likely() -> None:
    rounds = 2500
    for keys in (
        [(0, generation) for generation in range(1, rounds + 1)],
        [(seed, 1) for seed in range(rounds)],
    ):
        met = Counter(_pairs(6, seed, generation)[0] for seed, generation in keys)
        assert set(met) == {1, 2, 3, 4, 5}
        for count in met.values():
            assert abs(count - rounds / 5) < 5 * (rounds / 5) ** 0.5
