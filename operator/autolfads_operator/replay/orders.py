"""Whether each order is there, was due, and is the one that follows from what was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autolfads_operator.controller.derived import Derived
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.orders import last_of
from autolfads_operator.findings import Finding, missing_order, order_file, whole
from autolfads_operator.replay.records import Records
from autolfads_trainer.records import Place, Run
from autolfads_trainer.store import RunFolder


def check_orders(records: Records, ledger: Ledger, run: Run) -> Iterator[Finding]:
    """Yield what is wrong with the orders of a run, generation by generation."""
    yield from _out_of_place(records, run)
    if ledger.generation > 1 or records.end is not None:
        yield from _missing(ledger, run, 1)
    derived = Derived(ledger, run)
    for generation in sorted({place[1] for place in ledger.legs}):
        legs = ledger.legs_of(generation)
        late = _past_the_end(ledger, run, generation)
        if late is not None:
            for leg in legs:
                yield whole(order_file(leg.place), "was given", f"none: {late}")
        elif generation == 1:
            for leg in legs:
                yield from derived.differences(leg, records.orders[leg.place])
        elif run.pbt.mode == "asynchronous":
            for leg in legs:
                yield from _by_itself(records, derived, leg)
        else:
            yield from _all_together(records, derived, generation, legs)


def _out_of_place(records: Records, run: Run) -> Iterator[Finding]:
    for place in sorted(set(records.orders) | set(records.attempts)):
        if place[0] >= run.population or place[1] < 1:
            yield whole(
                RunFolder.leg_folder(*place), "is there", f"members 0 to {run.population - 1}"
            )
        elif place not in records.orders:
            yield missing_order(place)


def _missing(ledger: Ledger, run: Run, generation: int) -> Iterator[Finding]:
    for member in range(run.population):
        if (member, generation) not in ledger.legs:
            yield missing_order((member, generation))


def _past_the_end(ledger: Ledger, run: Run, generation: int) -> str | None:
    """Return why nobody should have got as far as `generation`."""
    last, board = last_of(run), ledger.board
    if generation > last:
        return f"generation {last} is the last"
    if run.pbt.mode == "asynchronous":
        # Who was ahead when the rule held may be further; the last to come as far as that is not,
        # but for one step, which another controller may have been about to give.
        held = board.stopped_at
        everybody = min(ledger.newest.values(), default=0)
        if held is not None and generation == held + 2 <= everybody:
            return f"not everybody, since the run had stopped improving at the end of {held}"
        return None
    if board.stopped_at is not None and generation > board.stopped_at:
        return f"the run had stopped improving at the end of generation {board.stopped_at}"
    if board.lost_at is not None and generation > board.lost_at:
        return f"no member had a score at the end of generation {board.lost_at}"
    return None


def _unsettled(place: Place, later: str) -> Finding:
    return whole(
        RunFolder.leg_folder(*place), "has no end", f"one, since {later} was given after it"
    )


def _all_together(
    records: Records, derived: Derived, generation: int, legs: Sequence[Leg]
) -> Iterator[Finding]:
    before = generation - 1
    absent = list(_missing(derived.ledger, derived.run, before))
    open_ones = [leg.place for leg in derived.ledger.legs_of(before) if not leg.settled]
    yield from absent
    for place in open_ones:
        yield _unsettled(place, f"generation {generation}")
    if absent or open_ones:
        return  # what should follow cannot be said
    for leg in legs:
        yield from derived.differences(leg, records.orders[leg.place])


def _by_itself(records: Records, derived: Derived, leg: Leg) -> Iterator[Finding]:
    member, generation = leg.place
    before = derived.ledger.legs.get((member, generation - 1))
    if before is None or not before.settled:
        place = (member, generation - 1)
        yield missing_order(place) if before is None else _unsettled(place, order_file(leg.place))
        return
    yield from derived.differences(leg, records.orders[leg.place])
