"""Two controllers on one folder: whoever is first decides, and both go by it."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import OWNER, Mini, claimed, history, without_syncing
from played_pool import PlayedPool, controller_for, played
from random_runs import Fate, Trouble, fates, minis, seeds

from autolfads_operator.controller.act import act
from autolfads_operator.controller.actions import GiveTask
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.reminders import Reminder
from autolfads_operator.controller.side_by_side import threads
from autolfads_trainer.records import Assignment, Outcome, Task, WorkerStatus


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@settings(deadline=None, max_examples=6)
@given(mini=minis(), fate=fates, most=st.integers(1, 4), luck=seeds)
def test_two_controllers_that_keep_in_step_make_one_history(
    mini: Mini, fate: Fate, most: int, luck: int
) -> None:
    chance = random.Random(luck)
    with tempfile.TemporaryDirectory() as calm, tempfile.TemporaryDirectory() as rough:
        played(Path(calm), mini, fate)
        pool = PlayedPool(Path(rough), mini, most, Trouble(fate, luck), luck=chance)
        two = [controller_for(Path(rough), pool) for _ in range(2)]
        for _ in range(5000):
            chance.shuffle(two)
            over = [controller.turn() for controller in two]
            if all(over):
                break
            pool.step()
        assert two[0].ledger.end == two[1].ledger.end is not None
        assert history(Path(rough)) == history(Path(calm))


def test_another_controllers_task_stays_with_the_worker_that_it_names(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    for life in ("theirs", "ours"):
        folder.assign(life, Assignment())
        folder.report(life, WorkerStatus(counter=0, doing="idle"))
    there, ours = (
        Task(kind="prepare", folder="prepare/attempt-1", worker=life, attempt=1)
        for life in ("theirs", "ours")
    )
    folder.give_task(there)
    ledger = Ledger(OWNER)
    with threads(1) as pool:
        act(folder, ledger, [GiveTask(ours)], pool)
    assert [attempt.task for attempt in ledger.prepare] == [there]
    assert folder.task("prepare/attempt-1") == there
    assert folder.assignment("ours") == Assignment()


def test_a_worker_whose_controller_stopped_before_it_was_pointed_to_its_task_is_pointed(
    tmp_path: Path,
) -> None:
    folder = claimed(tmp_path)
    task = Task(kind="prepare", folder="prepare/attempt-1", worker="theirs", attempt=1)
    folder.assign("theirs", Assignment())
    folder.report("theirs", WorkerStatus(counter=0, doing="idle"))
    folder.give_task(task)
    beside = controller_for(tmp_path, PlayedPool(tmp_path))
    turns_before = 0
    for counter in range(1, 1000):  # it lives, so it is not taken for dead
        folder.report("theirs", WorkerStatus(counter=counter, doing="idle"))
        beside.turn()
        if folder.assignment("theirs") != Assignment():
            break
        turns_before += 1
    assert folder.assignment("theirs") == Assignment(task=task.folder)
    assert turns_before > 20, "its own controller has time to do so"


def test_a_task_that_another_controllers_worker_has_done_is_not_its_task_any_more(
    tmp_path: Path,
) -> None:
    folder = claimed(tmp_path)
    task = Task(kind="prepare", folder="prepare/attempt-1", worker="theirs", attempt=1)
    status = WorkerStatus(counter=1, doing="idle", ended="members/000/gen-001/attempt-1")
    folder.assign("theirs", Assignment())
    folder.report("theirs", status)
    folder.give_task(task)
    attempt = Ledger(OWNER).add_task(task)
    reminder = Reminder(folder, patience=1.0)
    folder.settle(task.folder, Outcome(outcome="saved", reason="told to leave"))
    for now in range(5):
        reminder.remind([attempt], {"theirs": status}, lambda _life: False, now)
    assert folder.assignment("theirs") == Assignment()


def test_an_idle_worker_of_ours_is_pointed_to_its_task_at_once(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    task = Task(kind="prepare", folder="prepare/attempt-1", worker="ours", attempt=1)
    status = WorkerStatus(counter=1, doing="idle")
    folder.assign("ours", Assignment())
    folder.report("ours", status)
    folder.give_task(task)
    attempt = Ledger(OWNER).add_task(task)
    Reminder(folder, patience=1.0).remind([attempt], {"ours": status}, lambda _life: True, 0.0)
    assert folder.assignment("ours") == Assignment(task=task.folder)
