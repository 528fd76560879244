"""Which checkpoints an order can still need, and which legs a plan can still look at."""

from __future__ import annotations

from collections.abc import Iterator

from autolfads_operator.controller.attempts import saves
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.orders import is_over, last_of
from autolfads_operator.controller.starts import end_of
from autolfads_operator.pbt import opponent
from autolfads_trainer.records import Outcome, Place

SAVES_KEPT = 2  # of attempts that are over: should the newest be damaged, the one before is used


def needed(ledger: Ledger) -> set[str]:
    """Return the checkpoints that must stay, by path.

    The end of the best leg, and what that was started from; the ends of each member's newest leg;
    of a newest leg that is not settled its newest saves, its start, and the start of that, so that
    a damaged start can be made again; and until the next orders are given, all that they may copy.
    """
    legs = set(_ends_needed(ledger))
    paths = {end.checkpoint for leg in legs if (end := _end(ledger, leg)) is not None}
    for leg in ledger.newest_legs():
        if not leg.settled:
            left = saves([attempt.outcome for attempt in leg.attempts], ledger.damaged)
            paths |= {save.checkpoint for save in left[:SAVES_KEPT]}
    return {path for path in paths if path is not None}


def _end(ledger: Ledger, place: Place | None) -> Outcome | None:
    leg = ledger.legs.get(place) if place is not None else None
    return end_of(ledger, leg) if leg is not None else None


def _ends_needed(ledger: Ledger) -> Iterator[Place | None]:
    if ledger.board.best is not None:
        yield from _chain(ledger, ledger.board.best)
    for leg in ledger.newest_legs():
        yield leg.place
        if leg.settled:
            yield leg.order.parent
        else:
            yield from _chain(ledger, leg.order.parent)
    if ledger.run is not None and len(ledger.newest) < ledger.run.population:
        return
    if ledger.run is not None and not is_over(ledger):
        yield from _may_be_copied(ledger)


def _chain(ledger: Ledger, place: Place | None) -> Iterator[Place | None]:
    """Yield a leg whose end is needed, and what it could be made from again.

    One that is damaged is made again: then what it is made from is needed likewise.
    """
    yield place
    seen = set()
    while place is not None and place not in seen:
        seen.add(place)
        leg = ledger.legs.get(place)
        whole = leg is None or end_of(ledger, leg) is not None
        place = _start(ledger, place)
        yield place
        if whole:
            return


def _start(ledger: Ledger, place: Place | None) -> Place | None:
    leg = ledger.legs.get(place) if place is not None else None
    return leg.order.parent if leg is not None else None


def _may_be_copied(ledger: Ledger) -> Iterator[Place]:
    """Yield the legs that orders to come may name as parents."""
    run = ledger.run
    assert run is not None  # noqa: S101
    oldest, newest = min(ledger.newest.values()), ledger.generation
    if run.pbt.mode == "synchronous":
        if oldest < newest:  # an earlier controller was stopped while it gave these orders
            yield from (leg.place for leg in ledger.legs_of(newest - 1))
        return
    # A member that is behind will compare with older scores: its opponents are known already.
    for member, at in ledger.newest.items():
        own = ledger.board.newest_score(member, at)
        if own is not None:
            yield member, own[0]
        for generation in range(at, min(newest, last_of(run) - 1) + 1):
            rival = opponent(
                seed=run.seed, generation=generation, member=member, population=run.population
            )
            found = None if rival is None else ledger.board.newest_score(rival, generation)
            if rival is not None and found is not None:
                yield rival, found[0]
            elif rival is not None:  # then one that is lost copies the best of all others
                for other in range(run.population):
                    known = ledger.board.newest_score(other, generation)
                    if known is not None:
                        yield other, known[0]


def forgettable(ledger: Ledger, back: int = 2) -> list[Leg]:
    """Return the legs that no plan will look at again: those of more than `back` generations ago.

    But for those whose ends are needed, and what these were made from. Where nobody waits for the
    slowest, each member's own newest generation counts: one that is far behind holds up nothing.
    """
    if not ledger.newest:
        return []
    slowest = min(ledger.newest.values())
    together = ledger.run is None or ledger.run.pbt.mode == "synchronous"
    kept = set(_ends_needed(ledger))
    kept |= {_start(ledger, place) for place in kept}
    return [
        leg
        for place, leg in ledger.legs.items()
        if place[1] < (slowest if together else ledger.newest[place[0]]) - back
        and place not in kept
        and not (leg.attempts and leg.attempts[-1].open)
    ]
