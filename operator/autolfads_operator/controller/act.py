"""Doing what a plan asks for. Every record is noted in the ledger as the run directory holds it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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

SIDE_BY_SIDE = 8


def act(folder: RunFolder, ledger: Ledger, actions: Sequence[Action]) -> None:
    """Do the `actions` in order, as far as they hold. Raises `RunStopped` for `Stop`."""
    orders = [action.order for action in actions if isinstance(action, GiveOrder)]
    if orders:
        # Side by side: on a disk that syncs slowly, one after another would be the hand-over.
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            for given in threads.map(folder.give_order, orders):
                ledger.add_order(given)
    for action in actions:
        match action:
            case Freeze(run):
                ledger.run = folder.freeze(run)
            case GiveOrder():
                pass
            case GiveTask(task):
                counts = folder.give_task(task)
                ledger.add_task(counts)
                if counts != task:  # another controller's: it is for the worker that it names,
                    return  # and who is free is not what this plan took it to be
                folder.assign(task.worker, Assignment(task=task.folder))
            case Publish(attempt):
                folder.publish(attempt)
            case Finish(end):
                ledger.end = folder.finish(end)
            case Stop(reason):
                raise RunStopped(reason)
