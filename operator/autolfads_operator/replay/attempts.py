"""Whether each attempt was due, and started from what it should."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from autolfads_operator.controller.attempts import score_should_be, used_up
from autolfads_operator.controller.ledger import Attempt, Ledger, Leg
from autolfads_operator.controller.starts import Start, start_of
from autolfads_operator.findings import Finding, order_file, said, whole
from autolfads_operator.replay.records import Numbered, Records
from autolfads_trainer.records import Outcome, Place, Task
from autolfads_trainer.store import RunFolder

NOBODY = "nobody"  # the worker of an attempt that stands for all that cannot be made


def check_attempts(records: Records, ledger: Ledger) -> Iterator[Finding]:
    """Yield what is wrong with the attempts at all orders."""
    exported = (task.best for task, _ in records.export.values() if task is not None)
    again = _may_be_made_again(ledger, [ledger.board.best, *exported])
    for place in sorted(ledger.legs, key=lambda place: place[::-1]):
        leg = ledger.legs[place]
        found = records.attempts.get(place, {})
        yield from check_row(found, RunFolder.leg_folder(*place), "train")
        for number, attempt in enumerate(leg.attempts, 1):
            before = leg.attempts[: number - 1]
            task, outcome = found[number]
            assert task is not None  # noqa: S101  (the ledger holds it)
            file = f"{attempt.task.folder}/task.json"
            if task.order != order_file(place):
                yield Finding(file, "order", said(task.order), said(order_file(place)))
            not_due = _not_due(before, again=place in again)
            if not_due is not None:
                yield whole(file, "was given", not_due)
            else:
                yield from _start(ledger, leg, before, attempt.task)
            if outcome is not None:
                yield from _ended(leg, attempt.task, outcome)
                metric = ledger.run.pbt.metric if ledger.run else ""
                expected = score_should_be(outcome, metric)
                if expected is not None:
                    file = f"{attempt.task.folder}/outcome.json"
                    yield Finding(file, "score", said(outcome.score), expected)


def check_row(found: Numbered, parent: str, kind: str) -> Iterator[Finding]:
    """Yield what is wrong with the numbers and names of the attempts below `parent`."""
    for number in range(1, max(found, default=0) + 1):
        folder = RunFolder.attempt_folder(parent, number)
        task, outcome = found.get(number, (None, None))
        if task is None:
            after = "there is an outcome" if outcome else f"there is an attempt {max(found)}"
            yield whole(f"{folder}/task.json", "is missing", f"one, since {after}")
            if outcome is None and max(found) - number > len(found):
                return  # a stray number would make a long list
            continue
        file = f"{folder}/task.json"
        says = {"kind": (task.kind, kind), "folder": (task.folder, folder)}
        says["attempt"] = (str(task.attempt), str(number))
        for what, (one, other) in says.items():
            if one != other:
                yield Finding(file, what, one, other)
        if outcome is None and number < max(found):
            since = f"one, since attempt {number + 1} was given"
            yield whole(f"{folder}/outcome.json", "is missing", since)
        elif outcome is not None:
            yield from _own(f"{folder}/outcome.json", task, folder, outcome)


def _own(file: str, task: Task, folder: str, outcome: Outcome) -> Iterator[Finding]:
    checkpoint = outcome.checkpoint
    if checkpoint is not None and not checkpoint.startswith(f"{folder}/checkpoint"):
        yield Finding(file, "checkpoint", said(checkpoint), "one of its own attempt")
    if outcome.damaged is not None and outcome.damaged != task.start_from:
        yield Finding(file, "damaged", said(outcome.damaged), f"{said(task.start_from)}, its start")


def _not_due(before: Sequence[Attempt], *, again: bool) -> str | None:
    """Return why there should be no attempt after those `before`."""
    if used_up([attempt.outcome for attempt in before]):
        return f"none: no attempt can follow the {len(before)} before"
    if not again and any(attempt.has_finished for attempt in before):
        return "none: an attempt had finished, and no checkpoint that needs it was found damaged"
    return None


def _may_be_made_again(ledger: Ledger, best: Sequence[Place | None]) -> set[Place]:
    """Return the legs whose ends may be made again although an attempt had finished.

    Those that were found damaged, and those from which an order or the export of the `best` starts,
    with all before them: a controller can find one gone, of which no record tells. Of two one can
    be behind, and miss an end that the other removed as no longer needed.
    """
    begin: list[Place | None] = [*best]
    for leg in ledger.legs.values():
        begin.append(leg.order.parent)
        ends = {a.outcome.checkpoint for a in leg.attempts if a.outcome and a.has_finished}
        if ends & ledger.damaged:
            begin.append(leg.place)
    found: set[Place] = set()
    while begin:
        place = begin.pop()
        if place is not None and place not in found:
            found.add(place)
            above = ledger.legs.get(place)
            begin.append(above.order.parent if above is not None else None)
    return found


def _start(ledger: Ledger, leg: Leg, before: Sequence[Attempt], task: Task) -> Iterator[Finding]:
    file = f"{task.folder}/task.json"
    found = (task.start_from, task.start_sha256, task.resume)
    if task.worker == NOBODY:
        if not _ends_are_damaged(ledger, leg):
            yield whole(file, "gives the member up", "an attempt: its start is not damaged")
        return
    starts = [(s.checkpoint, s.sha256, s.resume) for s in possible_starts(ledger, leg, before)]
    if not starts:
        yield whole(file, "was given", "none before there is a checkpoint to start from")
    elif found not in starts:
        names = ("startFrom", "startSha256", "resume")
        for name, one, other in zip(names, found, _likest(found, starts), strict=True):
            if one != other:
                yield Finding(file, name, said(one), said(other))


def _likest(found: tuple[object, ...], starts: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    return max(reversed(starts), key=lambda s: sum(a == b for a, b in zip(s, found, strict=True)))


def possible_starts(ledger: Ledger, leg: Leg, before: Sequence[Attempt]) -> list[Start]:
    """Return from what the attempt after those `before` could start.

    More than one only where the end of the parent was made again: whether that was known by then
    is not recorded.
    """
    own = {a.outcome.damaged for a in before if a.outcome is not None}
    view = Leg(leg.order, list(before))
    parent = ledger.legs.get(leg.order.parent) if leg.order.parent is not None else None
    found = []
    for ends in prefixes(parent) if parent is not None else [[]]:
        legs = {view.place: view}
        if parent is not None and parent.place != view.place:
            legs[parent.place] = replace(parent, attempts=ends)
        small = Ledger(ledger.owner, ledger.run, legs=legs, damaged={d for d in own if d})
        start = start_of(small, view)
        if isinstance(start, Start) and start.leg is view:
            found.append(start)
    return found


def prefixes(leg: Leg) -> list[list[Attempt]]:
    """Return the attempts at a leg as they were each time that its end was made."""
    ends = [number for number, attempt in enumerate(leg.attempts, 1) if attempt.has_finished]
    return [leg.attempts[:number] for number in ends] or [[]]


def _ends_are_damaged(ledger: Ledger, leg: Leg) -> bool:
    parent = ledger.legs.get(leg.order.parent) if leg.order.parent is not None else None
    if parent is None:
        return False
    ends = [a.outcome.checkpoint for a in parent.attempts if a.outcome and a.has_finished]
    damaged = all(end is None or end in ledger.damaged for end in ends)
    # Or gone, and could not be made again.
    return bool(ends) and (damaged or used_up([a.outcome for a in parent.attempts]))


def _ended(leg: Leg, task: Task, outcome: Outcome) -> Iterator[Finding]:
    if outcome.epoch is None:
        return
    file, order = f"{task.folder}/outcome.json", leg.order
    first, end = order.start_epoch, order.start_epoch + order.epochs
    # One whose score became NaN ends when that is seen.
    if outcome.outcome == "finished" and outcome.score is not None and outcome.epoch != end:
        yield Finding(file, "epoch", str(outcome.epoch), str(end))
    elif not first <= outcome.epoch <= end:
        yield Finding(file, "epoch", str(outcome.epoch), f"{first} to {end}")
