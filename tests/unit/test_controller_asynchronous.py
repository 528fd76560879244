"""Asynchronous mode: nobody waits for the slowest, and everything follows from the records."""

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import (
    LEARNING_RATE,
    Mini,
    attempts,
    finished_attempt,
    orders,
    scores,
    without_syncing,
)
from played_pool import Fails, Play, PlayedPool, controller_for, played, to_the_end
from random_runs import Fate, Trouble, fates, minis, seeds
from replay_examples import told

from autolfads_operator.controller.loop import Controller
from autolfads_operator.pbt import opponent, perturb
from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


ASYNCHRONOUS = Mini(population=4, generations=6, mode="asynchronous")


def by_member(member: int, generation: int, _attempt: int) -> Play:
    return [0.5, 0.3, 0.7, 0.6][member] - 0.01 * generation


def all_at_work(root: Path, mini: Mini) -> tuple[Controller, PlayedPool]:
    """Start a run, and let each of four workers begin to train a member."""
    pool = PlayedPool(root, mini, 4, by_member)
    controller = controller_for(root, pool)
    while len(controller.ledger.open_attempts()) < 4:
        controller.turn()
        pool.step()
    return controller, pool


def test_nobody_waits_for_the_slowest(tmp_path: Path) -> None:
    controller, pool = all_at_work(tmp_path, ASYNCHRONOUS)
    slowest = next(
        a.task.worker for a in controller.ledger.open_attempts() if "/002/" in a.task.folder
    )
    pool.stuck.add(slowest)
    for _ in range(300):
        controller.turn()
        pool.step()
    reached = dict(controller.ledger.newest)
    assert reached == {0: 6, 1: 6, 2: 1, 3: 6}
    pool.stuck.clear()
    end = to_the_end(controller, pool)
    assert (end.state, end.reason) == ("succeeded", "all epochs done")
    assert Counter(order.member for order in orders(tmp_path)) == dict.fromkeys(range(4), 6)


def test_a_synchronous_run_does_wait(tmp_path: Path) -> None:
    controller, pool = all_at_work(tmp_path, replace(ASYNCHRONOUS, mode="synchronous"))
    pool.stuck.add(controller.ledger.open_attempts()[0].task.worker)
    for _ in range(300):
        controller.turn()
        pool.step()
    assert set(controller.ledger.newest.values()) == {1}


def check_orders(root: Path, mini: Mini) -> None:
    """See that every order follows from the scores that it names."""
    known = scores(root)
    given = {(order.member, order.generation): order for order in orders(root)}
    for order in given.values():
        if order.generation == 1:
            assert (order.parent, order.compared) == (None, None)
            continue
        before = order.generation - 1
        assert order.parent is not None
        parent = given[order.parent]
        assert order.start_epoch == parent.start_epoch + parent.epochs
        own = known.get((before, order.member))
        compared = order.compared
        if mini.population == 1:
            assert compared is None
            continue
        drawn = opponent(
            seed=mini.seed, generation=before, member=order.member, population=mini.population
        )
        assert compared is not None
        assert compared.member == drawn or own is None
        if compared.generation is None:
            assert own is not None
            assert order.parent == (order.member, before)
            continue
        assert compared.generation <= before
        assert compared.score == known[compared.generation, compared.member]
        copies = own is None or own > compared.score
        assert order.copied is copies
        expected = (compared.member, compared.generation) if copies else (order.member, before)
        assert order.parent == expected
        explored = perturb(
            {"model.lr_init": LEARNING_RATE},
            parent.hyperparameters,
            seed=mini.seed,
            generation=order.generation,
            member=order.member,
        )
        assert order.hyperparameters == (explored if copies else parent.hyperparameters)


@settings(deadline=None, max_examples=10)
@given(mini=minis(), fate=fates, most=st.integers(1, 4), luck=seeds)
def test_every_order_follows_from_the_score_that_it_names(
    mini: Mini, fate: Fate, most: int, luck: int
) -> None:
    mini = replace(mini, mode="asynchronous")
    chance = random.Random(luck)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pool = PlayedPool(root, mini, most, Trouble(fate, luck), luck=chance)
        controller = controller_for(root, pool)
        for _ in range(8000):
            if controller.turn():
                break
            pool.step()
            if chance.random() < 0.05:
                controller = controller_for(root, pool)
        assert controller.ledger.end is not None
        check_orders(root, mini)
        end = controller.ledger.end
        known = scores(root)
        if end.state == "succeeded":
            best = min((score, place) for place, score in known.items())
            assert (end.score, end.best) == (best[0], best[1][::-1])


def test_a_copy_goes_on_at_the_winners_epoch_and_keeps_its_own_count(tmp_path: Path) -> None:
    controller, pool = all_at_work(tmp_path, ASYNCHRONOUS)
    # Member 1, the best, is held up: the others copy what it was generations ago.
    held = [a.task.worker for a in controller.ledger.open_attempts() if "/001/" in a.task.folder]
    while controller.ledger.board.newest_score(1, 9) is None:
        controller.turn()
        pool.step()
    for attempt in controller.ledger.open_attempts():
        if "/001/" in attempt.task.folder:
            held = [attempt.task.worker]
    pool.stuck.update(held)
    for _ in range(200):
        controller.turn()
        pool.step()
    pool.stuck.clear()
    to_the_end(controller, pool)
    check_orders(tmp_path, ASYNCHRONOUS)
    late = [
        order
        for order in orders(tmp_path)
        if order.copied and order.parent and order.parent[1] < order.generation - 1
    ]
    assert late
    for order in late:
        assert order.parent is not None
        assert order.epochs == ASYNCHRONOUS.interval
        assert finished_attempt(RunFolder(tmp_path), *order.parent) is not None


def test_all_lost_in_one_generation_ends_the_run(tmp_path: Path) -> None:
    end = played(tmp_path, ASYNCHRONOUS, lambda *_: Fails("ValueError: so be it"))
    assert (end.state, end.reason) == ("failed", "generation 1: ValueError: so be it")


def test_a_member_that_is_lost_first_waits_for_one_to_copy(tmp_path: Path) -> None:
    def plays(member: int, generation: int, attempt: int) -> Play:
        return Fails() if (member, generation) == (0, 1) else by_member(member, generation, attempt)

    end = played(tmp_path, ASYNCHRONOUS, plays, most=1)
    assert end.state == "succeeded"
    assert attempts(tmp_path, 0, 1) == ["failed"] * 3
    second = next(o for o in orders(tmp_path) if (o.member, o.generation) == (0, 2))
    assert second.copied


def test_a_run_that_improves_no_more_stops(tmp_path: Path) -> None:
    mini = replace(ASYNCHRONOUS, generations=40, patience=2, min_improvement_ratio=0.01)
    end = played(tmp_path, mini, lambda member, generation, _: 0.5 + 0.1 * member, most=3)
    assert (end.state, end.reason) == ("succeeded", "stopped improving")
    assert max(order.generation for order in orders(tmp_path)) < 10


def test_one_that_is_far_behind_holds_up_no_tidying(tmp_path: Path) -> None:
    mini = Mini(population=8, generations=60, burn_in=1, interval=1, mode="asynchronous")
    pool = PlayedPool(
        tmp_path, mini, 4, lambda member, generation, _: 1 / generation + member / 1e3
    )
    controller = controller_for(tmp_path, pool)
    while controller.ledger.generation < 50:
        controller.turn()
        slow = [
            attempt.task.worker
            for attempt in controller.ledger.open_attempts()
            if attempt.task.folder.startswith("members/000/gen-003")
        ]
        pool.stuck = set(slow)
        pool.show_life(slow)
        pool.step()
    behind = 50 - controller.ledger.newest[0]
    assert behind > 40
    # The few newest of each, and what the one that is behind may still copy.
    assert len(controller.ledger.legs) <= mini.population * 5 + 2 * (behind + 1)
    assert len(list(tmp_path.glob("members/*/gen-*/attempt-*/checkpoint*"))) <= (
        mini.population * 4 + behind + 4
    )


@pytest.mark.parametrize("far", [4, 8])
def test_when_all_are_lost_the_first_error_is_told_however_far_one_member_is(
    tmp_path: Path, far: int
) -> None:
    """By then its own leg of that generation may be forgotten."""

    def plays(member: int, generation: int, _attempt: int) -> Play:
        if generation != 3:
            return 0.5 + member - 0.01 * generation
        return Fails("RuntimeError: CUDA out of memory") if member == 0 else math.nan

    pool = PlayedPool(tmp_path, Mini(population=2, generations=9, mode="asynchronous"), 2, plays)
    controller = controller_for(tmp_path, pool)
    for _ in range(500):
        if controller.turn():
            break
        newest = controller.ledger.newest
        slow = {
            attempt.task.worker
            for attempt in controller.ledger.open_attempts()
            if attempt.task.folder.startswith("members/001/gen-003")
        }
        pool.stuck = slow & set(pool.workers) if newest.get(0, 0) < far else set()
        pool.step()
    end = controller.ledger.end
    assert end is not None
    assert end.reason == "generation 3: RuntimeError: CUDA out of memory"
    assert told(tmp_path) == []
