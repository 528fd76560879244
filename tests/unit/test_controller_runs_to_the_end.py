"""A run ends, with every member trained in every generation and the best one's results."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import (
    Mini,
    attempts,
    finished_attempt,
    history,
    orders,
    scores,
    without_syncing,
)
from played_pool import Fails, PlayedPool, controller_for, played, to_the_end
from random_runs import Fate, fates, minis, seeds

from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@settings(deadline=None, max_examples=30)
@given(mini=minis(), fate=fates, most=st.integers(1, 4), luck=seeds, lanes=st.integers(1, 3))
def test_every_run_ends_with_its_best_by_brute_force(
    mini: Mini, fate: Fate, most: int, luck: int, lanes: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pool = PlayedPool(root, mini, most, fate, luck=random.Random(luck), lanes=lanes)
        end = to_the_end(controller_for(root, pool), pool)

        found = scores(root)
        given_orders = orders(root)
        newest = max(order.generation for order in given_orders)
        # Each member has one order in each generation; no attempt was begun twice.
        places = Counter((order.member, order.generation) for order in given_orders)
        assert places == Counter(
            (m, g) for m in range(mini.population) for g in range(1, newest + 1)
        )
        assert max(Counter(pool.begun).values()) == 1
        # Parents are of the generation before, and were trained to its end.
        for order in given_orders:
            if order.generation == 1:
                assert order.parent is None
                assert not order.copied
            else:
                assert order.parent is not None
                member, generation = order.parent
                assert generation == order.generation - 1
                assert (generation, member) in found
                assert order.copied == (member != order.member)
        if end.state == "failed":
            assert not any(generation == newest for generation, _ in found)
            assert end.reason.startswith(f"generation {newest}: ")
            assert not (root / "results").exists()
            return
        lowest = min(found.values())
        earliest = min(place for place, score in found.items() if score == lowest)
        assert end.best == (earliest[1], earliest[0])
        assert end.score == lowest
        assert json.loads((root / "results/best.json").read_text())["best"] == list(end.best)
        assert newest == mini.last or end.reason == "stopped improving"


@settings(deadline=None, max_examples=15)
@given(mini=minis(), fate=fates, most=st.integers(2, 4), luck=seeds)
def test_neither_the_number_of_workers_nor_their_pace_makes_a_difference(
    mini: Mini, fate: Fate, most: int, luck: int
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        played(Path(one), mini, fate, most=1)
        pool = PlayedPool(Path(other), mini, most, fate, luck=random.Random(luck))
        to_the_end(controller_for(Path(other), pool), pool)
        assert history(Path(one)) == history(Path(other))


def test_32_members_take_turns_on_2_workers(tmp_path: Path) -> None:
    mini = Mini(population=32, generations=2)
    pool = PlayedPool(tmp_path, mini, 2, lambda member, *_: float(member))
    controller = controller_for(tmp_path, pool)
    for _ in range(3000):
        over = controller.turn()
        assert len(controller.ledger.open_attempts()) <= 2
        if over:
            break
        pool.step()
    assert controller.ledger.end is not None
    assert controller.ledger.end.best == (0, 1)
    assert len(pool.begun) == 1 + 64 + 1


def test_a_single_member_is_trained_without_tuning(tmp_path: Path) -> None:
    end = played(tmp_path, Mini(population=1), lambda _, generation, __: 1 / generation)
    assert end.best == (0, 4)
    found = orders(tmp_path)
    assert [order.parent for order in found] == [None, (0, 1), (0, 2), (0, 3)]
    assert not any(order.copied for order in found)
    assert len({json.dumps(order.hyperparameters) for order in found}) == 1


def test_the_last_generation_is_cut_at_the_most_epochs(tmp_path: Path) -> None:
    end = played(tmp_path, Mini(population=2, burn_in=5, interval=4, max_epochs=11))
    assert end.reason == "all epochs done"
    spans = [(o.generation, o.start_epoch, o.epochs) for o in orders(tmp_path) if o.member == 0]
    assert spans == [(1, 0, 5), (2, 5, 4), (3, 9, 2)]


def test_burn_in_beyond_the_most_epochs_is_cut_too(tmp_path: Path) -> None:
    end = played(tmp_path, Mini(population=2, burn_in=50, max_epochs=6))
    assert end.state == "succeeded"
    assert [(order.generation, order.epochs) for order in orders(tmp_path)] == [(1, 6), (1, 6)]


def test_the_run_ends_when_its_best_score_hardly_changes(tmp_path: Path) -> None:
    mini = Mini(population=3, generations=30, patience=2, min_improvement_ratio=0.01)
    better = {1: 1.0, 2: 0.5, 3: 0.4}
    end = played(tmp_path, mini, lambda member, g, _: better.get(g, 0.399) + member)
    assert end.reason == "stopped improving"
    assert end.best == (0, 4)
    assert max(order.generation for order in orders(tmp_path)) == 5


def test_of_equal_scores_the_earliest_generation_and_the_lowest_member_is_best(
    tmp_path: Path,
) -> None:
    end = played(tmp_path, Mini(), lambda _, generation, __: {1: 0.5}.get(generation, 0.25))
    assert end.best == (0, 2)


def test_the_unpaired_member_of_an_odd_population_goes_on_unchanged(tmp_path: Path) -> None:
    played(tmp_path, Mini(population=5, generations=2), lambda member, *_: float(member))
    second = [order for order in orders(tmp_path) if order.generation == 2]
    (alone,) = [order for order in second if order.why == "no opponent this time"]
    assert alone.parent == (alone.member, 1)
    assert not alone.copied
    (first,) = [o for o in orders(tmp_path) if o.generation == 1 and o.member == alone.member]
    assert alone.hyperparameters == first.hyperparameters
    assert sum(order.copied for order in second) == 2


def test_a_copy_starts_with_perturbed_hyperparameters_within_the_limits(tmp_path: Path) -> None:
    played(tmp_path, Mini(population=6), lambda member, *_: float(member))
    by_place = {(order.member, order.generation): order for order in orders(tmp_path)}
    copies = [order for order in by_place.values() if order.copied]
    assert copies
    for order in copies:
        assert order.parent is not None
        before = by_place[order.parent].hyperparameters["model.lr_init"]
        now = order.hyperparameters["model.lr_init"]
        assert now != before
        assert before / 1.3001 <= now <= before * 1.3001
        assert 1e-5 <= now <= 5e-3


@pytest.mark.parametrize("play", [math.nan, math.inf, Fails()])
def test_a_lost_member_never_blocks_the_others_and_is_replaced(
    tmp_path: Path, play: float | Fails
) -> None:
    def plays(member: int, generation: int, _attempt: int) -> float | Fails:
        return play if (member, generation) == (2, 1) else 0.5 + member

    end = played(tmp_path, Mini(), plays)
    assert end.state == "succeeded"
    (order,) = [o for o in orders(tmp_path) if (o.member, o.generation) == (2, 2)]
    assert order.copied
    assert order.parent is not None
    assert order.parent[0] != 2
    assert order.why.startswith("score missing or not finite; replaced by")
    assert finished_attempt(RunFolder(tmp_path), 2, 2) is not None


def test_a_member_that_trained_to_nan_is_not_trained_again(tmp_path: Path) -> None:
    played(tmp_path, Mini(), lambda member, *_: math.nan if member == 1 else 0.5)
    assert attempts(tmp_path, 1, 1) == ["finished"]


def test_all_lost_without_an_error_fails_the_run_in_words(tmp_path: Path) -> None:
    end = played(tmp_path, Mini(), lambda _, generation, __: math.nan if generation == 2 else 1.0)
    assert (end.state, end.best, end.score) == ("failed", None, None)
    assert end.reason == "generation 2: all scores are NaN or infinite"


def test_all_lost_with_errors_fails_the_run_with_the_first(tmp_path: Path) -> None:
    def plays(member: int, _generation: int, _attempt: int) -> float | Fails:
        return math.nan if member == 0 else Fails(f"ValueError: of member {member}")

    end = played(tmp_path, Mini(population=3), plays)
    assert end.reason == "generation 1: ValueError: of member 1"
    assert attempts(tmp_path, 1, 1) == ["failed"] * 3


def test_a_run_that_is_over_stays_as_it_is(tmp_path: Path) -> None:
    end = played(tmp_path, Mini(population=2, generations=2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    pool = PlayedPool(tmp_path, Mini(population=2, generations=2))
    controller = controller_for(tmp_path, pool)
    assert controller.turn()
    assert controller.ledger.end == end
    assert {path: path.read_bytes() for path in before} == before
    assert pool.begun == []


def test_all_workers_are_told_to_leave_at_the_end(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=3), 3)
    controller = controller_for(tmp_path, pool)
    to_the_end(controller, pool)
    assert len(pool.lives()) == 3
    for _ in range(3):
        pool.step()
    assert pool.lives() == []
