"""Whether an order is the one that follows from what was there: decided again, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.orders import first_order, next_order, orders_of
from autolfads_operator.controller.plan import frozen
from autolfads_operator.findings import Finding, differences, in_a_line, order_file, said, whole
from autolfads_operator.pbt import AllLost, Rival, rival_of
from autolfads_trainer.records import Order, Outcome, Owner, Run


@dataclass
class Derived:
    """The orders that a ledger should hold, derived from seed and scores.

    In asynchronous mode one thing cannot be derived: how new a score of the opponent was known.
    That is what the order records, and the score must be one that the opponent really had.
    """

    ledger: Ledger
    run: Run
    _generation: int = 0
    _orders: dict[int, Order] = field(default_factory=dict)  # of that generation, by member

    def can_tell(self, leg: Leg) -> bool:
        """Return whether all that the order of `leg` follows from is in the ledger."""
        member, generation = leg.place
        if generation == 1:
            return True
        if self.run.pbt.mode == "synchronous":
            before = self.ledger.legs_of(generation - 1)
            return len(before) == self.run.population and all(leg.settled for leg in before)
        used = leg.order.compared  # which is whom it copied, if it did
        places = [(member, generation - 1), used.place if used is not None else None]
        found = [self.ledger.legs.get(place) for place in places if place is not None]
        return all(leg is not None and leg.settled for leg in found)

    def differences(self, leg: Leg, found: Order) -> Iterator[Finding]:
        """Yield in what the order that was `found` for `leg` is not what it should be."""
        member, generation = leg.place
        if generation == 1:
            yield from _compared(leg, found, partial(first_order, self.run, member))
        elif self.run.pbt.mode == "synchronous":
            yield from _compared(leg, found, partial(self._of_all, member, generation))
        else:
            before = self.ledger.legs[member, generation - 1]
            used = leg.order.compared
            rival = Rival(used.member, used.generation, used.score) if used is not None else None
            yield from self._rival(leg, before, rival)
            yield from _compared(
                leg, found, partial(next_order, self.ledger, self.run, before, rival)
            )

    def _of_all(self, member: int, generation: int) -> Order:
        if generation != self._generation:
            orders = orders_of(self.ledger, self.run, generation)
            self._generation, self._orders = generation, {order.member: order for order in orders}
        return self._orders[member]

    def _rival(self, leg: Leg, before: Leg, rival: Rival | None) -> Iterator[Finding]:
        """See that the opponent is the one that is drawn, and the score one that it really had."""
        file = order_file(leg.place)

        def as_recorded(member: int, up_to: int) -> tuple[int, float] | None:
            if rival is None or rival.generation is None or rival.score is None:
                return None
            there = member == rival.member and rival.generation <= up_to
            return (rival.generation, rival.score) if there else None

        should = rival_of(
            leg.place[0],
            before.score,
            seed=self.run.seed,
            generation=before.place[1],
            population=self.run.population,
            newest=as_recorded,
        )
        if should != rival:
            drawn = should.member if should is not None else None
            expected = f"member {drawn}, and no later generation than {before.place[1]}"
            found = said([rival.member, rival.generation, rival.score] if rival else None)
            yield Finding(file, "compared", found, expected if should is not None else "null")
        elif rival is not None and rival.generation is not None:
            real = self.ledger.board.newest_score(rival.member, rival.generation)
            score = real[1] if real is not None and real[0] == rival.generation else None
            if score != rival.score:
                whose = f"the score of member {rival.member} in generation {rival.generation}"
                expected = f"{said(score)}, {whose}"
                yield Finding(file, "compared.score", said(rival.score), expected)


def freeze_differences(owner: Owner, run: Run, answer: Outcome) -> Iterator[Finding]:
    """Yield where a `run` is not what the answer of `prepare` makes of it."""
    try:
        expected = frozen(Ledger(owner), answer)
    except (LookupError, TypeError, ValueError) as error:
        yield whole(
            "run.json", "cannot be derived", f"a whole answer of prepare ({in_a_line(error)})"
        )
        return
    yield from differences("run.json", run, expected)


def _compared(leg: Leg, found: Order, derive: Callable[[], Order | None]) -> Iterator[Finding]:
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
    yield from differences(file, found, expected)
