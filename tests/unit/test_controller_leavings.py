"""What workers and controllers leave that are over: removed in time, a few in each turn."""

from __future__ import annotations

import errno
import math
import time
from pathlib import Path

import pytest

from autolfads_operator.controller import removals
from autolfads_operator.controller.leavings import LOGS_KEPT, Leavings
from autolfads_operator.controller.removals import Removals
from autolfads_trainer.disk import make_folder
from autolfads_trainer.records import Assignment, WorkerStatus
from autolfads_trainer.store import RunFolder

SILENT = 100.0


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    make_folder(tmp_path / "workers")
    return RunFolder(tmp_path)


def leavings(folder: RunFolder, *ours: str) -> Leavings:
    return Leavings(folder, Removals(folder), lambda life: life in ours, SILENT)


def a_worker(folder: RunFolder, life: str, counter: int = 1) -> None:
    folder.assign(life, Assignment())
    folder.report(life, WorkerStatus(counter=counter, doing="idle"))
    (folder.root / f"workers/{life}.log").touch()
    (folder.root / f"workers/.{life}.status.json.1-00000002.tmp").touch()


def lives(folder: RunFolder) -> set[str]:
    """Return of whom there is more than a log."""
    names = [path.name for path in (folder.root / "workers").iterdir() if path.suffix != ".log"]
    return {name.lstrip(".").split(".")[0] for name in names}


def test_a_worker_that_is_over_leaves_its_log(folder: RunFolder) -> None:
    made = leavings(folder, "a", "b")
    for life in ("a", "b"):
        a_worker(folder, life)
    made.over(["a"])
    assert made.tidy({"b"}, 0.0, math.inf)
    assert lives(folder) == {"b"}
    assert (folder.root / "workers/a.log").exists()


def test_logs_are_removed_on_a_disk_that_refuses_at_times(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "FIRST_WAIT", 0.0)
    ours = [f"worker-{number}" for number in range(LOGS_KEPT + 3)]
    for life in ours:
        a_worker(folder, life)
    remove, refused = folder.remove, set()

    def refused_once(name: str) -> bool:
        if name not in refused:
            refused.add(name)
            raise OSError(errno.EIO, "no")
        return remove(name)

    monkeypatch.setattr(folder, "remove", refused_once)
    made = leavings(folder, *ours)
    made.over(ours)
    assert made.tidy(set(), 0.0, math.inf)
    made.removals.try_again()
    kept = sorted(path.name for path in (folder.root / "workers").iterdir())
    assert kept == sorted(f"{life}.log" for life in ours[-LOGS_KEPT:])


def test_workers_of_a_controller_before_are_over_when_they_are_silent(folder: RunFolder) -> None:
    for life in ("silent", "moves", "at-work", "ours"):
        a_worker(folder, life)
    made = leavings(folder, "ours")
    assert made.tidy({"at-work"}, 0.0, math.inf)
    a_worker(folder, "moves", counter=2)
    assert made.tidy({"at-work"}, SILENT, math.inf)
    assert lives(folder) == {"silent", "moves", "at-work", "ours"}
    assert made.tidy({"at-work"}, SILENT + 1, math.inf)
    assert lives(folder) == {"moves", "at-work", "ours"}


def test_what_a_controller_left_half_made_is_removed_when_nobody_finishes_it(
    folder: RunFolder,
) -> None:
    old, new = folder.root / ".run.json.1-00000002.tmp", folder.root / ".end.json.1-00000002.tmp"
    old.touch()
    made = leavings(folder)
    made.tidy(set(), 0.0, math.inf)
    new.touch()
    made.tidy(set(), SILENT, math.inf)
    assert old.exists()
    made.tidy(set(), SILENT + 1, math.inf)
    assert (old.exists(), new.exists()) == (False, True)


def test_however_many_were_left_one_turn_does_a_few(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        a_worker(folder, f"worker-{number}")
    asked = 0
    status = RunFolder.status

    def counted(self: RunFolder, life: str) -> WorkerStatus | None:
        nonlocal asked
        asked += 1
        return status(self, life)

    monkeypatch.setattr(RunFolder, "status", counted)
    made = leavings(folder)
    calls = 0
    for now in (0.0, SILENT + 1):
        most = 0
        while not made.tidy(set(), now, time.perf_counter()):
            most, asked = max(most, asked), 0
            calls += 1
        assert most == 1
    assert calls >= 3 * 50
    assert lives(folder) == set()


def test_a_disk_that_refuses_to_list_is_asked_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "FIRST_WAIT", 0.0)
    a_worker(folder, "ours")
    made = leavings(folder, "ours")
    made.over(["ours"])

    def refused(*_: object) -> list[str]:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "contents", refused)
        assert not made.tidy(set(), 0.0, math.inf)
    assert made.tidy(set(), 0.0, math.inf)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "contents", refused)
        made.over(["ours"])
        assert made.tidy(set(), 0.0, math.inf)
    a_worker(folder, "ours")
    assert made.tidy(set(), 0.0, math.inf)
    assert lives(folder) == set()
