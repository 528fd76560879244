"""When a run is stopped it says which members are saved, and believes nobody's intention."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from rich.console import Console

from autolfads_operator import leaving
from autolfads_operator.leaving import not_saved
from autolfads_operator.view.said import Said
from autolfads_trainer.records import UNSAVED, Outcome, Task, WorkerStatus
from autolfads_trainer.store import RunFolder

TASKS = [
    Task(
        kind="train",
        folder=f"members/{member:03d}/gen-002/attempt-1",
        worker=f"w{member}",
        attempt=1,
        order="order.json",
    )
    for member in range(7)
]
ATTEMPTS = [task.folder for task in TASKS]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    found = RunFolder(tmp_path)
    found.receive_workers()
    for task in TASKS[:6]:
        found.give_task(task)
        begun = WorkerStatus(counter=1, doing="training", device="cpu", task=task.folder)
        found.report(task.worker, begun)
    return found


def test_only_those_that_say_so_are_saved(folder: RunFolder) -> None:
    folder.settle(ATTEMPTS[0], Outcome(outcome="saved", reason="told to leave", epoch=3))
    folder.settle(ATTEMPTS[1], Outcome(outcome="saved", reason=UNSAVED, epoch=2))
    folder.settle(ATTEMPTS[2], Outcome(outcome="finished", score=0.5))
    (folder.path(ATTEMPTS[3]) / "outcome.json").write_text("{")
    idle = WorkerStatus(counter=1, doing="idle", device="cpu", task=ATTEMPTS[0])
    folder.report(TASKS[4].worker, idle)  # it left before it came to it, as did one without a word
    assert not_saved(folder, TASKS) == [1, 3, 5]


def test_of_a_volume_that_does_not_answer_nothing_is_believed(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "READ_WITHIN", 0.2)
    monkeypatch.setattr(folder, "outcome", lambda _: time.sleep(5))
    assert not_saved(folder, TASKS) == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([], "members are saved"),
        ([7], "member 7 was not saved, and will go on from what was saved before"),
        ([0, 2], "members 0, 2 were not saved, and will go on from what was saved before"),
    ],
)
def test_it_is_told_in_words(members: list[int], words: str, tmp_path: Path) -> None:
    console = Console(record=True, width=100)
    Said(console, tmp_path).saved(members)
    assert console.export_text().strip() == words
