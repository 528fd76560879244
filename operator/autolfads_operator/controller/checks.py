"""Whether what was read at a controller's start is whole: nothing missing, nothing changed."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from autolfads_operator.controller.derived import Derived, freeze_differences
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.observe import last_words
from autolfads_operator.findings import Finding
from autolfads_trainer.disk import NotVisibleYetError, StoreError
from autolfads_trainer.store import RunFolder


def refuse_gaps(folder: RunFolder, ledger: Ledger) -> None:
    """Raise `NotVisibleYetError` where an order is missing and a later one is there.

    Another would be given in its place, or all would wait for it. On a volume that shows names
    late it may still come; if it was removed, the user has to put it back. So with `run.json`.
    """
    if ledger.run is None and folder.order(0, 1) is not None and folder.run() is None:
        what = "is missing, although there are orders; expected both"
        raise NotVisibleYetError(errno.ENOENT, what, str(folder.root / "run.json"))
    if (
        ledger.run is not None
        and not ledger.newest
        and _somebody_trained(folder)
        and folder.order(0, 1) is None  # none of another controller's either, of just now
    ):
        what = "is missing, although workers have trained for it; expected both"
        raise NotVisibleYetError(errno.ENOENT, what, str(folder.root / "members"))
    for member, newest in ledger.newest.items():
        names = folder.contents(f"members/{member:03d}")
        numbers = (name.removeprefix("gen-") for name in names if name.startswith("gen-"))
        for later in sorted(int(number) for number in numbers if number.isdecimal()):
            if later > newest + 1 and folder.order(member, later) is not None:
                if folder.order(member, newest + 1) is not None:
                    break  # another controller has just gone on
                path = folder.path(f"{folder.leg_folder(member, newest + 1)}/order.json")
                what = f"is missing, although there is one of generation {later}; expected both"
                raise NotVisibleYetError(errno.ENOENT, what, str(path))


def _somebody_trained(folder: RunFolder) -> bool:
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
    if answer is not None:
        yield from freeze_differences(ledger.owner, run, answer)
    derived = Derived(ledger, run)
    for leg in sorted(ledger.legs.values(), key=lambda leg: leg.place[::-1]):
        if derived.can_tell(leg):
            yield from derived.differences(leg, leg.order)
