"""Whatever dies, and whenever: the run goes on to the same decisions and the same end."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from breaking_folder import BreakingFolder, CountingFolder, Killed
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import Mini, attempts, history, orders, without_syncing
from played_pool import Dies, Leaves, Play, PlayedPool, controller_for, played, to_the_end
from random_runs import Fate, Trouble, fates, minis, seeds

from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@settings(deadline=None, max_examples=8)
@given(mini=minis(), fate=fates, most=st.integers(1, 4), luck=seeds)
def test_trouble_with_workers_makes_no_difference(
    mini: Mini, fate: Fate, most: int, luck: int
) -> None:
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        played(Path(calm), mini, fate)
        pool = PlayedPool(Path(rough), mini, most, Trouble(fate, luck), luck=random.Random(luck))
        to_the_end(controller_for(Path(rough), pool), pool)
        assert history(Path(rough)) == history(Path(calm))


@settings(deadline=None, max_examples=8)
@given(mini=minis(), fate=fates, most=st.integers(1, 4), luck=seeds, gone=st.booleans())
def test_controllers_that_come_and_go_make_no_difference(
    mini: Mini, fate: Fate, most: int, luck: int, gone: bool
) -> None:
    """`gone`: the workers go with each of them, as on a laptop; in a cluster they stay."""
    chance = random.Random(luck)
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        played(Path(calm), mini, fate)
        pool = PlayedPool(Path(rough), mini, most, fate, luck=chance)
        controller = controller_for(Path(rough), pool)
        for _ in range(5000):
            if controller.turn():
                break
            pool.step()
            if chance.random() < (0.05 if gone else 0.5):
                if gone:
                    pool.kill()
                controller = controller_for(Path(rough), pool)
        assert controller.ledger.end is not None
        assert history(Path(rough)) == history(Path(calm))


MINI = Mini(population=3, generations=3, seed=3)


def fate(member: int, generation: int, attempt: int) -> Play:
    """Tell of members that die, leave, tie, and beat each other."""
    if (member, generation, attempt) == (1, 2, 1):
        return Dies(1)
    if (member, generation, attempt) == (0, 2, 1):
        return Leaves(1)
    return [0.5, 0.25, 0.5][(member + generation) % 3]


def test_a_controller_killed_at_any_write_is_replaced_by_one_that_decides_the_same(
    tmp_path: Path,
) -> None:
    calm = tmp_path / "calm"
    pool = PlayedPool(calm, MINI, 2, fate)
    counting = CountingFolder(calm)
    to_the_end(controller_for(calm, pool, counting), pool)
    expected = history(calm)
    assert counting.writes > 40
    for at in range(1, counting.writes + 1):
        root = tmp_path / str(at)
        pool = PlayedPool(root, MINI, 2, fate)
        with pytest.raises(Killed):
            to_the_end(controller_for(root, pool, BreakingFolder(root, at)), pool)
        pool.kill()
        to_the_end(controller_for(root, pool), pool)
        assert history(root) == expected, f"killed after write {at}"


def test_a_controller_killed_again_and_again_gets_there(tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI, fate)
    pool = PlayedPool(rough, MINI, 2, fate)
    lives = 0
    for at in range(8, 400, 4):
        lives += 1
        try:
            to_the_end(controller_for(rough, pool, BreakingFolder(rough, at)), pool)
            break
        except Killed:
            pool.kill()
    assert 2 < lives < 20
    assert history(rough) == history(calm)


def test_the_attempt_of_a_lost_worker_says_what_it_had_saved(tmp_path: Path) -> None:
    def plays(_member: int, generation: int, attempt: int) -> Play:
        return Dies(1) if (generation, attempt) == (2, 1) else 0.5

    played(tmp_path, Mini(population=1, generations=2), plays)
    folder = RunFolder(tmp_path)
    leg = folder.leg_folder(0, 2)
    (_, first), (second, _) = folder.attempts(leg)
    assert first is not None
    assert first.outcome == "abandoned"
    assert first.reason == "its worker is gone"
    assert (first.epoch, first.checkpoint) == (4, f"{leg}/attempt-1/checkpoint-1.ckpt")
    assert (second.start_from, second.resume) == (first.checkpoint, True)


def test_the_attempt_of_a_lost_worker_that_saved_nothing_begins_anew(tmp_path: Path) -> None:
    def plays(_member: int, generation: int, attempt: int) -> Play:
        return Dies() if (generation, attempt) == (2, 1) else 0.5

    played(tmp_path, Mini(population=1, generations=2), plays)
    folder = RunFolder(tmp_path)
    (_, first), (second, _) = folder.attempts(folder.leg_folder(0, 2))
    assert first is not None
    assert (first.outcome, first.epoch, first.checkpoint) == ("abandoned", None, None)
    assert second.start_from == f"{folder.leg_folder(0, 1)}/attempt-1/checkpoint-1.ckpt"
    assert not second.resume


def test_a_worker_that_finished_before_it_vanished_has_finished(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=1, generations=1), 1)
    controller = controller_for(tmp_path, pool)
    while RunFolder(tmp_path).outcome("members/000/gen-001/attempt-1") is None:
        controller.turn()
        pool.step()
    pool.kill()
    to_the_end(controller, pool)
    assert attempts(tmp_path, 0, 1) == ["finished"]


def test_a_worker_that_was_given_up_finds_its_task_gone_and_does_no_harm(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=1, generations=2), 1)
    controller = controller_for(tmp_path, pool)
    while not controller.ledger.legs or not controller.ledger.open_attempts():
        controller.turn()
        pool.step()
    (life,) = pool.lives()
    ghost = pool.workers.pop(life)  # for the controller it is gone, yet it works on
    controller.turn()
    with pytest.raises(StopIteration):
        for _ in range(20):
            next(ghost)
    to_the_end(controller, pool)
    assert attempts(tmp_path, 0, 1) == ["abandoned", "finished"]


def test_a_task_goes_to_no_worker_before_it_has_shown_life(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=1), 1)
    controller = controller_for(tmp_path, pool)
    for _ in range(3):
        controller.turn()  # the worker has been started, and has not said a word
    assert controller.ledger.prepare == []
    pool.step()
    controller.turn()
    assert [attempt.task.worker for attempt in controller.ledger.prepare] == pool.lives()


def test_all_members_move_when_all_workers_but_one_are_lost_for_good(tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, Mini(), fate)
    pool = PlayedPool(rough, Mini(), 4, fate)
    controller = controller_for(rough, pool)
    while controller.ledger.generation < 2:
        controller.turn()
        pool.step()
    controller.turn()
    assert len(controller.ledger.open_attempts()) == 4
    pool.most = 1
    for life in pool.lives()[1:]:
        pool.kill(life)
    to_the_end(controller, pool)
    assert history(rough) == history(calm)
    assert len(orders(rough)) == 16
