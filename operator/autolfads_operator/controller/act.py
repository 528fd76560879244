"""Doing what a plan asks for. Every record is noted in the ledger as the run directory holds it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

from autolfads_operator.controller.actions import (
    Action,
    Finish,
    Freeze,
    GiveOrder,
    GiveTask,
    GiveUp,
    Publish,
    Recall,
    Stop,
)
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.reading import recall
from autolfads_operator.errors import RunStopped
from autolfads_trainer.records import Assignment, Outcome, Task
from autolfads_trainer.store import RunFolder


def act(folder: RunFolder, ledger: Ledger, actions: Sequence[Action], pool: Executor) -> None:
    """Do the `actions`, as far as they hold; `pool` writes records side by side.

    Raises `RunStopped` for `Stop`.
    """
    orders = [action.order for action in actions if isinstance(action, GiveOrder)]
    for order in pool.map(folder.give_order, orders):
        ledger.add_order(order)
    tasks = [action.task for action in actions if isinstance(action, GiveTask)]
    given = list(pool.map(lambda task: _give(folder, task), tasks))
    for counts, outcome in given:
        _note(ledger, counts, outcome)
    if [counts for counts, _ in given] != tasks:
        return  # another controller was faster: who is free is not what this plan took it to be
    for action in actions:
        match action:
            case Freeze(run):
                ledger.freeze(folder.freeze(run))
            case Recall(place):
                recall(folder, ledger, place)
            case GiveUp(task, reason):
                counts = folder.give_task(task)
                if counts != task:  # another controller has it made
                    _note(ledger, counts, folder.outcome(counts.folder))
                    return
                outcome = Outcome(outcome="failed", reason=reason, final=True)
                _note(ledger, counts, folder.settle(task.folder, outcome))
            case Publish(attempt):
                folder.publish(attempt)
            case Finish(end):
                ledger.end = folder.finish(end)
            case Stop(reason):
                raise RunStopped(reason)
            case GiveOrder() | GiveTask():
                pass


def _give(folder: RunFolder, task: Task) -> tuple[Task, Outcome | None]:
    """Write a task and point its worker to it; return what counts.

    Where another controller has given the attempt before, it is for the worker that it names.
    """
    counts = folder.give_task(task)
    if counts != task:
        return counts, folder.outcome(counts.folder)
    folder.assign(task.worker, Assignment(task=task.folder))
    return counts, None


def _note(ledger: Ledger, task: Task, outcome: Outcome | None) -> None:
    attempt = ledger.add_task(task)
    if outcome is not None:
        ledger.settle(attempt, outcome)
