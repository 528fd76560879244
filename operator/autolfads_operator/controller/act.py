"""Doing what a plan asks for. Every record is noted in the ledger as the run directory holds it."""

from __future__ import annotations

from collections.abc import Sequence

from autolfads_operator.controller.actions import (
    Action,
    Finish,
    Freeze,
    GiveOrder,
    GiveTask,
    Publish,
    Stop,
)
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.errors import RunStopped
from autolfads_trainer.records import Assignment
from autolfads_trainer.store import RunFolder


def act(folder: RunFolder, ledger: Ledger, actions: Sequence[Action]) -> None:
    """Do the `actions` in order. Raises `RunStopped` for `Stop`."""
    for action in actions:
        match action:
            case Freeze(run):
                ledger.run = folder.freeze(run)
            case GiveOrder(order):
                ledger.add_order(folder.give_order(order))
            case GiveTask(task):
                given = folder.give_task(task)
                ledger.add_task(given)
                if given == task:  # another controller's task goes to the worker that it names
                    folder.assign(task.worker, Assignment(task=task.folder))
            case Publish(attempt):
                folder.publish(attempt)
            case Finish(end):
                ledger.end = folder.finish(end)
            case Stop(reason):
                raise RunStopped(reason)
