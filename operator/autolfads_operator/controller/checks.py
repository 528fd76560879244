"""Whether what was read at a controller's start is whole: nothing missing, nothing changed."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from autolfads_operator.controller.derived import Derived, freeze_differences
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.observe import last_words
from autolfads_operator.findings import Finding, order_file
from autolfads_trainer.disk_errors import NotVisibleYetError, StoreError
from autolfads_trainer.records import Place
from autolfads_trainer.store import RunFolder


def refuse_gaps(folder: RunFolder, ledger: Ledger) -> None:
    """Raise `NotVisibleYetError` where something is missing that later records follow from.

    Another would be given in its place, or all would wait for it. On a volume that shows names
    late it may still come; if it was removed, the user has to put it back. Of a run that is over
    anything may be removed.
    """
    if ledger.end is not None:
        return
    if ledger.run is None and folder.order(0, 1) is not None and folder.run() is None:
        raise _missing(folder, "run.json", "there are orders")
    if ledger.run is not None and not any(attempt.has_finished for attempt in ledger.prepare):
        raise _missing(folder, _prepared_file(folder, ledger), "there is a run.json")
    if (
        ledger.run is not None
        and not ledger.newest
        and somebody_trained(folder)
        and folder.order(0, 1) is None  # none of another controller's either, of just now
    ):
        raise _missing(folder, "members", "workers have trained for it")
    for member, newest in ledger.newest.items():
        names = folder.contents(f"members/{member:03d}")
        numbers = (name.removeprefix("gen-") for name in names if name.startswith("gen-"))
        for later in sorted(int(number) for number in numbers if number.isdecimal()):
            if later > newest + 1 and folder.order(member, later) is not None:
                if folder.order(member, newest + 1) is not None:
                    break  # another controller has just gone on
                raise _missing_order(folder, (member, newest + 1), later)
    for place in _due(ledger):
        _refuse_without_end(folder, ledger, place)
    for leg in ledger.legs.values():
        _refuse_unless_over(folder, ledger, leg)


def _due(ledger: Ledger) -> Iterator[Place]:
    """Yield the legs that must be over, since there are orders that follow from their ends."""
    if ledger.run is None:
        return
    together = ledger.run.pbt.mode == "synchronous"
    for member in range(ledger.run.population):
        newest = ledger.generation if together else ledger.newest.get(member, 0)
        for generation in range(1, newest):
            yield member, generation


def _refuse_without_end(folder: RunFolder, ledger: Ledger, place: Place) -> None:
    leg, later = ledger.legs.get(place), place[1] + 1
    if leg is None:
        if folder.order(*place) is None:  # else another controller has just gone on
            raise _missing_order(folder, place, later)
    elif not leg.settled:
        raise without_end(folder, leg)


def _refuse_unless_over(folder: RunFolder, ledger: Ledger, leg: Leg) -> None:
    """Outcomes are there before the order that names them.

    One of an order that is not in the ledger yet can be there: it is read when it is needed.
    """
    compared = leg.order.compared
    for place in (leg.order.parent, compared.place if compared is not None else None):
        other = ledger.legs.get(place) if place is not None else None
        if other is not None and not other.settled:
            raise _missing(folder, _end_file(folder, other), f"{order_file(leg.place)} names it")


def without_end(folder: RunFolder, leg: Leg) -> NotVisibleYetError:
    """Return what to raise for a leg whose end is not seen, although its member went on."""
    return _missing(
        folder, _end_file(folder, leg), f"generation {leg.place[1] + 1} was given after it"
    )


def _end_file(folder: RunFolder, leg: Leg) -> str:
    number = max((attempt.task.attempt for attempt in leg.attempts), default=1)
    attempt = folder.attempt_folder(folder.leg_folder(*leg.place), number)
    return f"{attempt}/{'outcome.json' if leg.attempts else 'task.json'}"


def _prepared_file(folder: RunFolder, ledger: Ledger) -> str:
    return f"{folder.attempt_folder('prepare', len(ledger.prepare) or 1)}/outcome.json"


def _missing_order(folder: RunFolder, place: Place, later: int) -> NotVisibleYetError:
    path = f"{folder.leg_folder(*place)}/order.json"
    return _missing(folder, path, f"there is one of generation {later}")


def _missing(folder: RunFolder, relative: str, although: str) -> NotVisibleYetError:
    what = f"is missing, although {although}; expected both"
    return NotVisibleYetError(errno.ENOENT, what, str(folder.named(relative)))


def somebody_trained(folder: RunFolder) -> bool:
    """Return whether a worker says that it has been at work on a member."""
    names = [name for name in folder.contents("workers") if name.endswith(".status.json")]
    said = (last_words(folder, name.removesuffix(".status.json")) for name in names)
    places = (status.task or status.ended or "" for status in said if status is not None)
    return any(place.startswith("members/") for place in places)


def refuse_changed(ledger: Ledger) -> None:
    """Raise `StoreError` for the first order that is not the one that follows from what was there.

    So, too, for `run.json`. Where that cannot be told yet, on a volume that shows outcomes late,
    the replay tells it later.
    """
    for finding in _changed(ledger):
        raise StoreError(
            f"{ledger.root / str(finding)}: it was changed, or what it follows from was; "
            "`autolfads replay` says all that is not as it was"
        )


def _changed(ledger: Ledger) -> Iterator[Finding]:
    run = ledger.run
    if run is None:
        return
    answer = next((a.outcome for a in ledger.prepare if a.outcome and a.has_finished), None)
    if answer is not None:  # None: of a run that is over anything may be removed
        yield from freeze_differences(ledger.owner, run, answer)
    derived = Derived(ledger, run)
    for leg in sorted(ledger.legs.values(), key=lambda leg: leg.place[::-1]):
        if derived.can_tell(leg):
            yield from derived.differences(leg, leg.order)
