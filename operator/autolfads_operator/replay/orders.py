"""Whether each order is the one that follows from what was there: decided again, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.orders import first_order, last_of, next_order, orders_of
from autolfads_operator.pbt import AllLost, Rival, rival_of
from autolfads_operator.replay.findings import (
    Finding,
    differences,
    missing_order,
    order_file,
    said,
    whole,
)
from autolfads_operator.replay.records import Records
from autolfads_trainer.records import Order, Place, Run
from autolfads_trainer.store import RunFolder


def check_orders(records: Records, ledger: Ledger, run: Run) -> Iterator[Finding]:
    """Yield what is wrong with the orders of a run, generation by generation."""
    yield from _out_of_place(records, run)
    if ledger.generation > 1 or records.end is not None:
        yield from _missing(ledger, run, 1)
    for generation in sorted({place[1] for place in ledger.legs}):
        legs = ledger.legs_of(generation)
        late = _past_the_end(ledger, run, generation)
        if late is not None:
            for leg in legs:
                yield whole(order_file(leg.place), "was given", f"none: {late}")
        elif generation == 1:
            for leg in legs:
                yield from _compared(records, leg, partial(first_order, run, leg.place[0]))
        elif run.pbt.mode == "asynchronous":
            for leg in legs:
                yield from _by_itself(records, ledger, run, leg)
        else:
            yield from _all_together(records, ledger, run, generation, legs)


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
    records: Records, ledger: Ledger, run: Run, generation: int, legs: Sequence[Leg]
) -> Iterator[Finding]:
    before = generation - 1
    absent = list(_missing(ledger, run, before))
    open_ones = [leg.place for leg in ledger.legs_of(before) if not leg.settled]
    yield from absent
    for place in open_ones:
        yield _unsettled(place, f"generation {generation}")
    if absent or open_ones:
        return  # what should follow cannot be said
    expected: dict[int, Order] = {}

    def derived(member: int) -> Order:
        if not expected:
            expected.update((o.member, o) for o in orders_of(ledger, run, generation))
        return expected[member]

    for leg in legs:
        yield from _compared(records, leg, partial(derived, leg.place[0]))


def _by_itself(records: Records, ledger: Ledger, run: Run, leg: Leg) -> Iterator[Finding]:
    member, generation = leg.place
    before = ledger.legs.get((member, generation - 1))
    if before is None or not before.settled:
        place = (member, generation - 1)
        yield missing_order(place) if before is None else _unsettled(place, order_file(leg.place))
        return
    used = leg.order.compared
    rival = Rival(used.member, used.generation, used.score) if used is not None else None
    yield from _rival(ledger, run, leg, before, rival)
    yield from _compared(records, leg, partial(next_order, ledger, run, before, rival))


def _rival(
    ledger: Ledger, run: Run, leg: Leg, before: Leg, rival: Rival | None
) -> Iterator[Finding]:
    """See that the opponent is the one that is drawn, and the score one that it really had.

    How new a score of it was known then depended on the hour: that is what the order records.
    """
    file = order_file(leg.place)

    def as_recorded(member: int, up_to: int) -> tuple[int, float] | None:
        if rival is None or rival.generation is None or rival.score is None:
            return None
        there = member == rival.member and rival.generation <= up_to
        return (rival.generation, rival.score) if there else None

    should = rival_of(
        leg.place[0],
        before.score,
        seed=run.seed,
        generation=before.place[1],
        population=run.population,
        newest=as_recorded,
    )
    if should != rival:
        drawn = should.member if should is not None else None
        expected = f"member {drawn}, and no later generation than {before.place[1]}"
        found = said([rival.member, rival.generation, rival.score] if rival else None)
        yield Finding(file, "compared", found, expected if should is not None else "null")
    elif rival is not None and rival.generation is not None:
        real = ledger.board.newest_score(rival.member, rival.generation)
        score = real[1] if real is not None and real[0] == rival.generation else None
        if score != rival.score:
            whose = f"the score of member {rival.member} in generation {rival.generation}"
            yield Finding(file, "compared.score", said(rival.score), f"{said(score)}, {whose}")


def _compared(records: Records, leg: Leg, derive: Callable[[], Order | None]) -> Iterator[Finding]:
    file = order_file(leg.place)
    try:
        expected = derive()
    except (AllLost, LookupError, ValueError, ArithmeticError) as error:
        # What it follows from is wrong itself, and told there: no such parent, a broken space.
        yield whole(
            file,
            f"cannot be derived ({' '.join(str(error).split())})",
            "what it follows from to be whole",
        )
        return
    if expected is None:
        yield whole(file, "was given", "none: the member is lost, and there was nobody to copy")
        return
    yield from differences(file, records.orders[leg.place], expected)
