"""All records of a run's folder, read once, and the ledger that a controller would make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autolfads_operator.controller.checks import somebody_trained
from autolfads_operator.controller.ledger import Attempt, Ledger
from autolfads_operator.controller.reading import SIDE_BY_SIDE
from autolfads_operator.controller.side_by_side import threads
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import End, Order, Outcome, Owner, Place, Run, Task
from autolfads_trainer.store import RunFolder

Numbered = dict[int, tuple[Task | None, Outcome | None]]
"""Attempts by number, as their folders are called; a task can be missing."""


@dataclass
class Records:
    """What a run's folder holds, by the names of its files and not by what they say."""

    owner: Owner
    run: Run | None = None
    prepare: Numbered = field(default_factory=dict)
    orders: dict[Place, Order] = field(default_factory=dict)
    attempts: dict[Place, Numbered] = field(default_factory=dict)
    export: Numbered = field(default_factory=dict)
    end: End | None = None
    trained: bool = False  # whether a worker says so, where there is no order


def read_records(folder: RunFolder, owner: Owner) -> Records:
    """Read all records. Raises `StoreError` for one that cannot be read.

    A run can go on meanwhile: what something was derived from is read after it, and so is there.
    """
    records = Records(owner, end=folder.end())
    records.export = _attempts(folder, "export")
    records.run = folder.run()
    records.prepare = _attempts(folder, "prepare")
    with threads(SIDE_BY_SIDE) as pool:
        members = _numbers(folder.contents("members"), "")
        listed = pool.map(lambda member: _generations(folder, member), members)
        places = [place for found in listed for place in found]
        for place, order in zip(places, pool.map(lambda p: _order(folder, p), places)):  # noqa: B905
            if order is not None:
                records.orders[place] = order
        metric = records.run.pbt.metric if records.run is not None else ""
        folders = [folder.leg_folder(*place) for place in places]
        attempts = pool.map(lambda p: _attempts(folder, p, metric), folders)
        for place, found in zip(places, attempts):  # noqa: B905
            if found:
                records.attempts[place] = found
    records.trained = not records.orders and somebody_trained(folder)
    return records


def _generations(folder: RunFolder, member: int) -> list[Place]:
    parent = RunFolder.leg_folder(member, 1).rpartition("/")[0]
    return [(member, generation) for generation in _numbers(folder.contents(parent), "gen-")]


def _order(folder: RunFolder, place: Place) -> Order | None:
    """Read what is there, also an order that says to be for another place: that is a finding."""
    return folder.order_as_it_is(*place)


def _numbers(names: list[str], before: str) -> list[int]:
    """Return the numbers in names such as `007` or `gen-003`, as the run's folder writes them."""
    found = (re.fullmatch(rf"{before}(\d{{3,9}})", name, re.ASCII) for name in names)
    numbers = sorted(int(match[1]) for match in found if match)
    return [number for number in numbers if f"{before}{number:03d}" in names]


def _decisive(outcome: Outcome, metric: str) -> dict[str, Any]:
    """Return of an outcome's metrics the one that decides: they add up in a long run."""
    last = outcome.result.get("last")
    return {"last": {metric: last[metric]}} if isinstance(last, dict) and metric in last else {}


def _attempts(folder: RunFolder, parent: str, metric: str = "") -> Numbered:
    found: Numbered = {}
    names = (re.fullmatch(r"attempt-([1-9]\d{0,8})", n, re.ASCII) for n in folder.contents(parent))
    for number in sorted(int(match[1]) for match in names if match):
        place = RunFolder.attempt_folder(parent, number)
        task = folder.task_as_it_is(place)
        outcome = folder.outcome(place)
        if outcome is not None and parent.startswith("members/"):
            outcome = outcome.model_copy(update={"result": _decisive(outcome, metric)})
        if task is not None or outcome is not None:
            found[number] = (task, outcome)
    return found


def ledger_of(records: Records, reached: Mapping[int, int] | None = None) -> Ledger:
    """Return the ledger of all that was decided; `reached`: only up to each member's generation.

    Each record is taken to be what its name says. What follows a gap is left out.
    """
    ledger = Ledger(records.owner, doubts=False)
    for task, outcome in _in_a_row(records.prepare, "prepare"):
        _note(ledger, task, outcome)
    if records.run is not None:
        ledger.freeze(records.run)
        for place, order in sorted(records.orders.items(), key=lambda item: item[0][::-1]):
            member, generation = place
            most = generation if reached is None else reached.get(member, 0)
            if member < records.run.population and generation <= most:
                _note_leg(ledger, records, place, order)
    for task, outcome in _in_a_row(records.export, "export"):
        _note(ledger, task, outcome)
    return ledger


def _note_leg(ledger: Ledger, records: Records, place: Place, order: Order) -> None:
    member, generation = place
    ledger.add_order(order.model_copy(update={"member": member, "generation": generation}))
    for task, outcome in _in_a_row(records.attempts.get(place, {}), RunFolder.leg_folder(*place)):
        _note(ledger, task, outcome)


def _in_a_row(found: Numbered, parent: str) -> Iterator[tuple[Task, Outcome | None]]:
    number = 1
    while number in found:
        task, outcome = found[number]
        if task is None:
            return
        kind = "train" if parent.startswith("members/") else parent
        place = RunFolder.attempt_folder(parent, number)
        yield task.model_copy(update={"kind": kind, "folder": place, "attempt": number}), outcome
        number += 1


def _note(ledger: Ledger, task: Task, outcome: Outcome | None) -> Attempt:
    attempt = ledger.add_task(task)
    if outcome is not None:
        if task.kind == "train":  # what its metrics say of its score is checked by itself
            outcome = outcome.model_copy(update={"result": {}})
        try:
            ledger.settle(attempt, outcome)
        except StoreError:  # it names a checkpoint that is not its own
            ledger.settle(attempt, outcome.model_copy(update={"checkpoint": None}))
    return attempt
