"""Reading what was decided: all of it at a controller's start, and later what is new."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterable, Sequence

from autolfads_operator.controller.checks import refuse_changed, refuse_gaps, without_end
from autolfads_operator.controller.ledger import Attempt, Ledger
from autolfads_operator.controller.retention import forgettable
from autolfads_operator.controller.side_by_side import threads
from autolfads_trainer.disk_errors import NotVisibleYetError, StoreError
from autolfads_trainer.records import Order, Outcome, Owner, Place, Task
from autolfads_trainer.store import RunFolder

SIDE_BY_SIDE = 16  # a shared volume answers slowly, but many at a time

Attempts = Sequence[tuple[Task, Outcome | None]]


def read_ledger(folder: RunFolder, owner: Owner, most_held: float = math.inf) -> Ledger:
    """Read all that was decided, once, at a controller's start.

    Raises `StoreError` where that is more than `most_held` bytes, or not what a run makes.
    """
    ledger = Ledger(owner, root=folder.root, most_held=most_held)
    catch_up(folder, ledger)
    refuse_gaps(folder, ledger)
    refuse_changed(ledger)
    for leg in forgettable(ledger, back=4):
        ledger.old.append(ledger.forget(leg.place))
    ledger.refused = None  # by a worker of an earlier time: it is mended, or will be said again
    ledger.forgiven = {"prepare": len(ledger.prepare), "export": len(ledger.export)}
    return ledger


def catch_up(folder: RunFolder, ledger: Ledger) -> None:
    """Note what the run directory holds and the ledger does not."""
    if ledger.run is None:
        run = folder.run()
        if run is not None:
            try:
                ledger.freeze(run)
            except ValueError as error:
                raise StoreError(f"{folder.root / 'run.json'}: was changed: {error}") from None
    _note(folder, ledger, "prepare", ledger.prepare)
    if ledger.run is not None:
        with threads(SIDE_BY_SIDE) as pool:
            members = range(ledger.run.population)
            # Orders first: what an order was derived from is there by the time it is read, also
            # when another controller is still at work.
            for orders in pool.map(lambda member: _new_orders(folder, ledger, member), members):
                for order in orders:
                    ledger.add_order(order)
            unsettled = [leg for leg in ledger.legs.values() if not leg.settled]
            read = pool.map(
                lambda leg: _attempts_at(
                    folder, ledger, folder.leg_folder(*leg.place), leg.attempts
                ),
                unsettled,
            )
            for leg, found in zip(unsettled, read, strict=True):
                _add(ledger, found, leg.attempts)
    _note(folder, ledger, "export", ledger.export)
    ledger.end = ledger.end or folder.end()


def recall(folder: RunFolder, ledger: Ledger, place: Place) -> None:
    """Note a leg that an order starts from and the ledger lacks.

    It was over and is forgotten, or another controller has just made it. Raises
    `NotVisibleYetError` if it is not seen.
    """
    member, generation = place
    if generation > ledger.newest.get(member, 0):
        catch_up(folder, ledger)
    elif (order := folder.order(member, generation)) is not None:
        found = list(folder.attempts(folder.leg_folder(*place)))
        for task, _ in found:
            if not task.is_for(order):
                path = folder.named(f"{folder.leg_folder(*place)}/order.json")
                raise StoreError(f"{path}: was changed since it was given; expected it as it was")
        leg, refused = ledger.recall(order), ledger.refused
        _add(ledger, found, leg.attempts)
        ledger.refused = refused  # what was refused at that time was mended since
        if not leg.settled and generation < ledger.newest.get(member, 0):
            raise without_end(folder, leg)
        for attempt in leg.attempts:  # what is removed is not to be started from
            if attempt.outcome is not None:
                names = folder.contents(attempt.task.folder)
                attempt.files = {name for name in names if name.startswith("checkpoint")}
    if place not in ledger.legs:
        path = folder.named(f"{folder.leg_folder(*place)}/order.json")
        what = "is missing, although another order starts from it; expected both"
        raise NotVisibleYetError(errno.ENOENT, what, str(path))


def _new_orders(folder: RunFolder, ledger: Ledger, member: int) -> list[Order]:
    found = []
    generation = ledger.newest.get(member, 0) + 1
    while (order := folder.order(member, generation)) is not None:
        ledger.weigh(order)
        found.append(order)
        generation += 1
    return found


def _attempts_at(
    folder: RunFolder, ledger: Ledger, parent: str, known: Sequence[Attempt]
) -> list[tuple[Task, Outcome | None]]:
    """Return all attempts below `parent`, those that are known, too: outcomes can be new."""
    found = []
    for task, outcome in folder.attempts(parent):
        before = known[task.attempt - 1] if task.attempt <= len(known) else None
        if before is None:
            ledger.weigh(task)
        if outcome is not None and (before is None or before.outcome is None):
            ledger.weigh(outcome)
        found.append((task, outcome))
    return found


def _note(folder: RunFolder, ledger: Ledger, parent: str, known: list[Attempt]) -> None:
    if not (known and known[-1].has_finished):
        _add(ledger, _attempts_at(folder, ledger, parent, known), known)


def _add(
    ledger: Ledger, found: Iterable[tuple[Task, Outcome | None]], known: list[Attempt]
) -> None:
    for task, outcome in found:
        attempt = known[task.attempt - 1] if task.attempt <= len(known) else ledger.add_task(task)
        if outcome is not None:
            ledger.settle(attempt, outcome)
