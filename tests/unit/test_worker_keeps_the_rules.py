"""The worker itself, with a task that needs no torch: late names, first outcomes, failing disks."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledger_examples import OWNER
from run_directory_examples import Disk

from autolfads_trainer import disk
from autolfads_trainer.disk import make_folder
from autolfads_trainer.places import Place
from autolfads_trainer.records import Assignment, Outcome, Task
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.context import Said
from autolfads_trainer.worker import loading
from autolfads_trainer.worker.lane import LEFT, Worker
from autolfads_trainer.worker.process import Process

ATTEMPT = "prepare/attempt-1"
SPEC: dict[str, Any] = {
    "data": {"generate": {"problem": "lorenz", "conditions": 2, "trials": 5, "channels": 4}},
    "pbt": {"mode": "synchronous"},
}


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.claim(OWNER.model_copy(update={"spec": SPEC}))
    make_folder(folder.root / "workers")
    return folder


LONGEST_LIFE = 15.0  # seconds: a worker that should have left long ago fails its test


class MortalWorker(Worker):
    """The worker, which does not go on for ever where it forgets to leave."""

    def _must_leave(self) -> bool:
        assert time.monotonic() < self.until, "the worker does not leave"
        return super()._must_leave()

    until = float("inf")


def a_worker(folder: RunFolder) -> Worker:
    process = Process()
    process.hear_signals()
    worker = MortalWorker(folder, "w", device="cpu", save_every=300.0, process=process)
    worker.until = time.monotonic() + LONGEST_LIFE
    return worker


def give(folder: RunFolder, **changes: Any) -> Task:
    task = Task(kind="prepare", folder=ATTEMPT, worker="w", attempt=1)
    return folder.give_task(task.model_copy(update=changes))


def meanwhile(*does: Callable[[], object]) -> threading.Thread:
    """Do these things one after another, beside the worker."""

    def run() -> None:
        for do in does:
            do()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def until(what: Callable[[], object], seconds: float = 60) -> Callable[[], None]:
    def wait() -> None:
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "did not come to pass"
            time.sleep(0.005)

    return wait


def leave(folder: RunFolder) -> Callable[[], None]:
    return lambda: folder.assign("w", Assignment(leave=True))


def ended(folder: RunFolder) -> Callable[[], object]:
    def is_it() -> bool:
        status = folder.status("w")
        return status is not None and status.ended == ATTEMPT

    return is_it


def test_a_task_is_done_told_and_left_with_0_at_the_end(folder: RunFolder) -> None:
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    meanwhile(until(ended(folder)), leave(folder))
    assert a_worker(folder).work() == 0
    outcome = folder.outcome(ATTEMPT)
    assert outcome is not None
    assert outcome.outcome == "finished", outcome.reason


def test_a_task_that_is_announced_before_it_is_seen_is_waited_for(folder: RunFolder) -> None:
    folder.assign("w", Assignment(task=ATTEMPT))
    meanwhile(lambda: time.sleep(0.5), lambda: give(folder), until(ended(folder)), leave(folder))
    assert a_worker(folder).work() == 0


def test_another_lifes_task_is_not_done(folder: RunFolder) -> None:
    give(folder, worker="another")
    folder.assign("w", Assignment(task=ATTEMPT))
    assert a_worker(folder).work() == LEFT
    assert folder.outcome(ATTEMPT) is None


def test_a_task_that_has_an_outcome_is_not_done(folder: RunFolder) -> None:
    give(folder)
    given_up = folder.settle(ATTEMPT, Outcome(outcome="abandoned", reason="its worker is gone"))
    folder.assign("w", Assignment(task=ATTEMPT))
    assert a_worker(folder).work() == LEFT
    assert folder.outcome(ATTEMPT) == given_up
    assert folder.contents(ATTEMPT) == ["outcome.json", "task.json"]


def test_a_worker_that_was_given_up_while_it_worked_leaves_the_first_outcome(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    given_up = Outcome(outcome="abandoned", reason="its worker gave no sign")
    real = loading.run_task

    def slow(*arguments: Any) -> Outcome:
        folder.settle(ATTEMPT, given_up)  # by the controller, in the midst of it
        return real(*arguments)

    monkeypatch.setattr(loading, "run_task", slow)
    assert a_worker(folder).work() == LEFT
    assert folder.outcome(ATTEMPT) == given_up
    status = folder.status("w")
    assert status is not None
    assert status.ended is None


class FullDisk:
    """A disk on which nothing can be written for a while: each write fails, some are counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, names: str) -> None:
        self.failed = 0
        self.full = True
        self.real = disk.write_new
        self.number, self.names = number, names
        monkeypatch.setattr(disk, "write_new", self)

    def __call__(self, place: Place, content: bytes, **how: bool) -> None:
        if self.full and self.names in place.name:
            self.failed += 1
            raise OSError(self.number, os.strerror(self.number), place.name)
        self.real(place, content, **how)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.ESTALE])
def test_an_outcome_waits_for_the_disk(
    folder: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: int,
) -> None:
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    full = FullDisk(monkeypatch, number, "outcome.json")
    meanwhile(
        until(lambda: full.failed >= 2),
        lambda: setattr(full, "full", False),
        until(ended(folder)),
        leave(folder),
    )
    assert a_worker(folder).work() == 0
    outcome = folder.outcome(ATTEMPT)
    assert outcome is not None
    assert outcome.outcome == "finished"
    said = capfd.readouterr().err
    assert said.count("waiting: ") == 1
    assert said.count("going on: the disk works again") == 1


def test_a_worker_told_to_leave_while_the_disk_is_full_leaves(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    full = FullDisk(monkeypatch, errno.ENOSPC, "outcome.json")
    meanwhile(until(lambda: full.failed >= 2), lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert a_worker(folder).work() == LEFT
    assert folder.outcome(ATTEMPT) is None


def test_a_status_that_cannot_be_written_stops_nobody(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    real = RunFolder.report
    failed = []

    def report(self: RunFolder, life: str, status: Any) -> None:
        if status.ended is None and status.counter > 1:
            failed.append(status.doing)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, life, status)

    monkeypatch.setattr(RunFolder, "report", report)
    meanwhile(until(ended(folder)), leave(folder))
    assert a_worker(folder).work() == 0
    assert len(failed) >= 2


def test_an_endless_error_makes_no_endless_outcome(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Outcome:
        raise ValueError("no " * 1_000_000)

    monkeypatch.setattr(loading, "run_task", fail)
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    meanwhile(until(ended(folder)), leave(folder))
    assert a_worker(folder).work() == 0
    assert len((folder.path(ATTEMPT) / "outcome.json").read_bytes()) < 4096
    outcome = folder.outcome(ATTEMPT)
    assert outcome is not None
    assert (outcome.reason or "").startswith("ValueError: no no ")


def test_the_status_tells_of_a_trouble_until_it_is_over(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(folder)
    folder.assign("w", Assignment(task=ATTEMPT))
    full = FullDisk(monkeypatch, errno.ENOSPC, "outcome.json")

    def trouble() -> str | None:
        status = folder.status("w")
        return status.trouble if status is not None else None

    meanwhile(
        until(lambda: trouble() == "the disk is full"),
        lambda: setattr(full, "full", False),
        until(lambda: ended(folder)() and trouble() is None),
        leave(folder),
    )
    assert a_worker(folder).work() == 0


def test_what_a_worker_announces_outlasts_a_power_cut(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_worker(folder)
    one._first_words()
    log = Disk(monkeypatch)
    one.context.announce(Said("saved", saved="a", saved_sha256="b", saved_epoch=1))
    assert log.names == ["write", "fsync", "replace", "fsync folder"]
    status = folder.status("w")
    assert status is not None
    assert (status.saved, status.saved_epoch) == ("a", 1)


def test_what_cannot_be_announced_is_an_error(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_worker(folder)
    one._first_words()
    FullDisk(monkeypatch, errno.ENOSPC, "status")
    with pytest.raises(OSError, match="No space left"):
        one.context.announce(Said("saved", saved="a", saved_epoch=1))


def test_an_idle_workers_trouble_is_over_when_the_disk_works_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.assign("w", Assignment())
    real, refused = RunFolder.assignment, threading.Event()

    def refusing_once(self: RunFolder, life: str) -> Assignment | None:
        if not refused.is_set():
            refused.set()
            raise OSError(errno.EIO, "no")
        return real(self, life)

    monkeypatch.setattr(RunFolder, "assignment", refusing_once)

    def well() -> bool:
        status = folder.status("w")
        return refused.is_set() and status is not None and status.trouble is None

    meanwhile(until(well), leave(folder))
    assert a_worker(folder).work() == 0
    status = folder.status("w")
    assert status is not None
    assert status.trouble is None


def test_how_long_a_worker_had_nothing_to_do_is_told(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float | None] = []

    def note(context: Any, _: Task) -> Outcome:
        told.append(one.status.waited)
        context.steps += 7
        return Outcome(outcome="finished")

    monkeypatch.setattr(loading, "run_task", note)
    one = a_worker(folder)
    for number in (1, 2):
        place = f"prepare/attempt-{number}"
        folder.give_task(Task(kind="prepare", folder=place, worker="w", attempt=number))
        one._do(place)
        time.sleep(0.05)
    assert told[0] is None
    assert told[1] is not None
    assert 0.05 <= told[1] < 30
    assert one.status.steps == 14
