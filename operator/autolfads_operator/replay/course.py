"""Whether a run was frozen as it was prepared, and ended when and as it should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from autolfads_operator.controller.actions import (
    Action,
    Finish,
    GiveOrder,
    GiveTask,
    GiveUp,
    Stop,
)
from autolfads_operator.controller.derived import freeze_differences
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.plan import frozen, plan
from autolfads_operator.findings import (
    Finding,
    differences,
    in_a_line,
    order_file,
    said,
    whole,
)
from autolfads_operator.pbt import AllLost
from autolfads_operator.replay.attempts import check_row, prefixes
from autolfads_operator.replay.records import Records, ledger_of
from autolfads_trainer.records import Outcome, Task

SOMEBODY = "somebody"


def check_frozen(records: Records) -> Iterator[Finding]:
    """Yield where `run.json` is not what the answer of `prepare` makes of the run."""
    yield from check_row(records.prepare, "prepare", "prepare")
    answer = _answer(records)
    if records.run is None:
        if records.orders or records.end is not None:
            yield whole("run.json", "is missing", "one, since orders or an end were given")
        return
    if answer is None:
        yield whole("run.json", "is there", "an attempt at prepare that finished")
        return
    found = list(freeze_differences(records.owner, records.run, answer))
    yield from found
    if any(finding.what is None for finding in found):
        return
    for key, frozen_as in (("seed", records.run.seed), ("population", records.run.population)):
        asked = records.owner.spec.get(key)
        if asked is not None and asked != frozen_as:
            yield Finding("owner.json", f"spec.{key}", said(asked), f"{frozen_as}, as prepared")


def is_another_run(records: Records) -> bool:
    """Return whether so much of `run.json` is wrong that orders cannot be judged by it."""
    answer, run = _answer(records), records.run
    try:
        return run is None or (
            answer is not None
            and frozen(Ledger(records.owner), answer).population != run.population
        )
    except (LookupError, TypeError, ValueError):
        return True


def _answer(records: Records) -> Outcome | None:
    outcomes = (records.prepare[number][1] for number in sorted(records.prepare))
    return next((o for o in outcomes if o is not None and o.outcome == "finished"), None)


def check_end(records: Records) -> Iterator[Finding]:
    """Yield what is wrong with the export and the end of a run."""
    yield from check_row(records.export, "export", "export")
    wrong = [
        finding
        for number, (task, _) in sorted(records.export.items())
        if task is not None
        for finding in _export(records, number, task)
    ]
    yield from wrong
    if records.end is None or records.run is None:
        return
    ledger = ledger_of(records, _reached(records))
    planned = _planned(ledger, SOMEBODY)
    finish = next((action for action in planned if isinstance(action, Finish)), None)
    if finish is not None:
        # The end tells of what was exported: if that is wrong, it was told already.
        but = frozenset({"best", "score"} if wrong else ())
        yield from differences("end.json", records.end, finish.end, but=but)
    else:
        yield whole("end.json", "is there", f"{_in_words(planned)} first")


def _reached(records: Records) -> dict[int, int] | None:
    """Return how far each member was for the controller that ended the run.

    In asynchronous mode another controller, stopped in between, may have given an order since.
    """
    if records.run is None or records.run.pbt.mode == "synchronous":
        return None
    for _, (task, outcome) in sorted(records.export.items()):
        if task is not None and outcome is not None and outcome.outcome == "finished":
            return dict(enumerate(task.reached))
    return None


def _export(records: Records, number: int, task: Task) -> Iterator[Finding]:
    file = f"export/attempt-{number}/task.json"
    late = records.run is not None and records.run.pbt.mode == "asynchronous"
    ledger = ledger_of(records, dict(enumerate(task.reached)) if late else None)
    expected, planned = _exports(ledger, number, task.worker)
    if not expected:
        yield whole(file, "was given", f"{_in_words(planned)} first")
    elif task not in expected:
        yield from differences(
            file, task, expected[-1], but=frozenset({"kind", "folder", "attempt"})
        )


def _exports(ledger: Ledger, number: int, worker: str) -> tuple[list[Task], list[Action]]:
    """Return the tasks that export attempt `number` could have, and what else was due.

    More than one where the best leg's end was made again, as for training.
    """
    before = ledger.export[: number - 1]
    ledger.export = before
    ledger.forgiven = {"export": len(before)}  # how often the user began anew is not recorded
    ledger.damaged = {a.outcome.damaged for a in before if a.outcome and a.outcome.damaged}
    planned: list[Action] = []
    found: list[Task] = []
    best = ledger.board.best
    leg = ledger.legs[best] if best is not None else None
    for ends in prefixes(leg) if leg is not None else [[]]:
        if leg is not None:
            ledger.legs[leg.place] = replace(leg, attempts=ends)
        planned = _planned(ledger, worker)
        tasks = [action.task for action in planned if isinstance(action, GiveTask)]
        found += [task for task in tasks if task.kind == "export"]
    return found, planned


def _planned(ledger: Ledger, worker: str) -> list[Action]:
    try:
        return plan(ledger, [worker])
    except (AllLost, LookupError, ValueError, ArithmeticError) as error:
        # Orders from which nothing can follow: those are told by themselves.
        return [Stop(f"orders that can be gone on from ({in_a_line(error)})")]


def _in_words(planned: list[Action]) -> str:
    """Say what was to be done instead."""
    for action in planned:
        match action:
            case GiveOrder(order):
                return order_file((order.member, order.generation))
            case GiveTask(task) | GiveUp(task, _):
                return f"{task.folder}/outcome.json"
            case Finish(end):
                return f"the end, {said(end.reason)}, and nothing"
            case Stop(reason):
                return reason
    return "an end of each attempt"
