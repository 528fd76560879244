"""Who is taken for dead: by signs, by the controller's own clock, and nobody who moves."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from ledger_examples import Mini, attempts, claimed, history, without_syncing
from played_pool import PlayedPool, Ticking, played

from autolfads_operator.controller.ledger import Attempt
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.observe import abandon
from autolfads_operator.controller.vitals import SILENT, SLOWEST_LOOK, STRANGER_SILENT, Vitals
from autolfads_trainer.disk import make_folder
from autolfads_trainer.records import Task, WorkerStatus
from autolfads_trainer.store import RunFolder

MINI = Mini(population=4, generations=4)


def status(counter: int) -> WorkerStatus:
    return WorkerStatus(counter=counter, doing="training")


def test_a_counter_that_moves_is_life_and_one_that_stands_still_is_not() -> None:
    vitals = Vitals()
    for second in range(1000):
        vitals.hear(["a", "b"], {"a": status(second), "b": status(min(second, 400))}, second)
    assert vitals.silent(["a", "b"], 700.0) == []
    assert vitals.silent(["a", "b"], 400 + SILENT) == []
    assert vitals.silent(["a", "b"], 401 + SILENT) == ["b"]


def test_one_that_never_says_a_word_is_silent_too() -> None:
    vitals = Vitals()
    vitals.hear(["a"], {}, 10.0)
    assert vitals.silent(["a"], 10 + SILENT) == []
    assert vitals.silent(["a"], 11 + SILENT) == ["a"]


def test_a_status_that_cannot_be_seen_for_a_while_changes_nothing() -> None:
    vitals = Vitals()
    vitals.hear(["a"], {"a": status(1)}, 0.0)
    vitals.hear(["a"], {}, 5.0)
    assert vitals.to_be_read(["a"], 5.0) == ["a"]
    vitals.hear(["a"], {"a": status(2)}, 10.0)
    assert vitals.silent(["a"], 10 + SILENT) == []


def test_a_name_that_is_not_there_yet_is_looked_for_more_and_more_slowly() -> None:
    vitals = Vitals()
    looks = []
    for step in range(20_000):
        now = step / 100
        asked = vitals.to_be_read(["a"], now)
        if asked:
            looks.append(now)
            vitals.hear(asked, {}, now)
    waits = [b - a for a, b in pairwise(looks)]
    assert waits[0] < 0.05
    assert waits[-1] == pytest.approx(SLOWEST_LOOK, abs=0.02)
    assert sorted(waits, key=lambda wait: round(wait, 1)) == waits


def test_strangers_are_given_less_time_at_first_and_more_at_each_attempt() -> None:
    vitals = Vitals()
    vitals.hear(["s"], {"s": status(1)}, 0.0)
    for before, time in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16)]:
        assert not vitals.is_gone("s", time * STRANGER_SILENT, before)
        assert vitals.is_gone("s", time * STRANGER_SILENT + 1, before)
    for before in (5, 6, 5000):  # never more than our own
        assert not vitals.is_gone("s", SILENT, before)
        assert vitals.is_gone("s", SILENT + 1, before)
    vitals.hear(["s"], {"s": status(2)}, STRANGER_SILENT + 1)
    assert not vitals.is_gone("s", STRANGER_SILENT + 1, 0)


def controllers(root: Path, speeds: tuple[float, ...]) -> list[tuple[Controller, PlayedPool]]:
    """Start controllers with workers of their own, each with a clock that goes its own way."""
    owner = claimed(root).owner()
    assert owner is not None
    found = []
    for seconds in speeds:
        pool = PlayedPool(root, MINI, 2)
        found.append((Controller(claimed(root), owner, pool, Ticking(seconds)), pool))
    return found


def test_two_controllers_with_workers_of_their_own_leave_each_others_alone(tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    with without_syncing():
        played(calm, MINI)
        both = controllers(rough, (0.04, 0.15))
        for _ in range(3000):
            over = [controller.turn() for controller, _ in both]
            if all(over):
                break
            for _, pool in both:
                pool.step()
    assert all(controller.ledger.end is not None for controller, _ in both)
    assert history(rough) == history(calm)
    every = [end for m in range(4) for g in range(1, 5) for end in attempts(rough, m, g)]
    assert every == ["finished"] * 16
    assert all(pool.begun for _, pool in both)  # they shared the work


def test_steps_that_take_longer_than_a_stranger_is_waited_for_decide_nothing(
    tmp_path: Path,
) -> None:
    """Each controller takes the other's workers for dead; an attempt is longer than it waits."""
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    with without_syncing():
        played(calm, MINI)
        both = controllers(rough, (1.0, 3.0))
        for turn in range(4_000):
            over = [controller.turn() for controller, _ in both]
            if all(over):
                break
            for _, pool in both:
                if turn % 25 == 0:
                    pool.step()
    assert all(controller.ledger.end is not None for controller, _ in both)
    assert history(rough) == history(calm)
    every = [end for m in range(4) for g in range(1, 5) for end in attempts(rough, m, g)]
    assert every.count("abandoned") > 10
    assert every.count("finished") == 16


def test_workers_of_a_controller_that_is_gone_are_given_up_when_they_go_silent(
    tmp_path: Path,
) -> None:
    with without_syncing():
        (first, workers), (second, others) = controllers(tmp_path, (0.04, 0.04))
        while len(first.ledger.open_attempts()) < 2 or first.ledger.run is None:
            first.turn()
            workers.step()
        # The first one and its workers are no more; nobody has written a word about it.
        seen = [first.ledger.open_attempts()[0].task.folder]
        for _ in range(3000):
            if second.turn():
                break
            others.step()
    assert second.ledger.end is not None
    outcome = RunFolder(tmp_path).outcome(seen[0])
    assert outcome is not None
    assert (outcome.outcome, outcome.reason) == ("abandoned", "its worker is gone")
    assert outcome.stranger


def test_what_workers_leave_behind_is_removed_and_their_last_logs_are_kept(tmp_path: Path) -> None:
    with without_syncing():
        pool = PlayedPool(tmp_path, MINI, 2)
        owner = claimed(tmp_path).owner()
        assert owner is not None
        controller = Controller(claimed(tmp_path), owner, pool, Ticking())
        logs = 0
        while not controller.turn():
            for life in pool.lives():
                log = tmp_path / f"workers/{life}.log"
                if log.parent.exists() and not log.exists():
                    log.write_text("hello")
                    logs += 1
            pool.step()
            if controller.ledger.legs and len(pool.begun) % 2 and logs < 30:
                pool.kill(pool.lives()[0])
        lives = {path.name.split(".")[0] for path in (tmp_path / "workers").glob("*.json")}
    assert logs > 12
    assert lives <= set(pool.lives())
    assert len(list((tmp_path / "workers").glob("*.log"))) <= 8 + 2


def at_work(root: Path) -> tuple[Controller, PlayedPool, Ticking]:
    """Start a controller, and let two workers begin to train."""
    clock = Ticking()
    pool = PlayedPool(root, MINI, 2)
    owner = claimed(root).owner()
    assert owner is not None
    controller = Controller(claimed(root), owner, pool, clock)
    while len(controller.ledger.open_attempts()) < 2:
        controller.turn()
        pool.step()
    return controller, pool, clock


def test_a_time_without_turns_is_not_held_against_workers(tmp_path: Path) -> None:
    """The disk was away for an hour: nobody could be heard, and nobody is killed for it."""
    with without_syncing():
        controller, pool, clock = at_work(tmp_path)
        lives = pool.lives()
        clock.now += 3600
        for _ in range(3):
            controller.turn()
        assert pool.lives() == lives
        assert len(controller.ledger.open_attempts()) == 2


def test_on_a_disk_that_nobody_can_write_to_nobody_is_killed_for_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with without_syncing():
        controller, pool, clock = at_work(tmp_path)
        lives = pool.lives()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "assign", full)
            failed = 0
            for _ in range(200):  # there is nothing to write, and yet it is noticed
                clock.now += 5
                try:
                    controller.turn()
                except OSError:
                    failed += 1
            assert failed > 150
        for _ in range(20):
            clock.now += 5
            controller.turn()
        assert pool.lives() == lives


@pytest.mark.parametrize(
    "saved", ["checkpoint-/../../x", "checkpoint-3.ckpt", "../checkpoint-1.ckpt"]
)
def test_an_abandoned_attempt_names_only_what_an_attempt_can_have_saved(
    tmp_path: Path, saved: str
) -> None:
    folder = claimed(tmp_path)
    place = folder.leg_folder(0, 1) + "/attempt-1"
    task = Task(kind="train", folder=place, worker="w", attempt=1)
    (tmp_path / "workers").mkdir()
    make_folder(tmp_path / place)
    name = f"{place}/{saved}"
    folder.report("w", WorkerStatus(counter=1, doing="x", task=place, saved=name, saved_epoch=3))
    outcome = abandon(folder, Attempt(task), "its worker is gone", folder.status(task.worker))
    assert (outcome.checkpoint, outcome.epoch) == (None, None)
