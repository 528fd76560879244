"""Which orders are due: a pure function of what was decided."""

from __future__ import annotations

from collections.abc import Iterator

from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.pbt import (
    Decision,
    Hyperparameter,
    LoneDecision,
    Rival,
    decide,
    decide_alone,
    draw,
    generation_epochs,
    last_generation,
    perturb,
    rival_of,
)
from autolfads_trainer.records import Compared, Order, Place, Run


def due_orders(ledger: Ledger) -> list[Order]:
    """Return the orders that can be given now, and were not given yet."""
    run = ledger.run
    assert run is not None  # noqa: S101  (orders are planned for frozen runs only)
    if ledger.board.lost_at is not None:
        return []
    missing = [member for member in range(run.population) if member not in ledger.newest]
    if missing:  # some are there if an earlier controller was stopped in between
        return [first_order(run, member) for member in missing]
    if run.pbt.mode == "asynchronous":
        return list(_each_by_itself(ledger, run))
    return _all_together(ledger, run)


def is_over(ledger: Ledger) -> bool:
    """Return whether no further orders will be given: only what was begun is to be ended."""
    run, board = ledger.run, ledger.board
    assert run is not None  # noqa: S101
    last = last_of(run)
    everyone_there = len(ledger.newest) == run.population and min(ledger.newest.values()) >= last
    return board.lost_at is not None or board.stopped_at is not None or everyone_there


def lacks_what_came_before(ledger: Ledger) -> bool:
    """Return whether orders were seen, and not all of what they were derived from.

    A controller that starts while another is at work reads members one by one: of one it can see a
    generation more than of the next. Who is on his own goes by what he has.
    """
    together = ledger.run is not None and ledger.run.pbt.mode == "synchronous"
    return together and ledger.board.complete < ledger.generation - 1


def last_of(run: Run) -> int:
    """Return the number of a run's last generation."""
    return last_generation(
        burn_in=run.pbt.burn_in_epochs,
        interval=run.pbt.generation_epochs,
        max_epochs=run.pbt.max_epochs,
    )


def first_order(run: Run, member: int) -> Order:
    """Return a member's first order: new weights, hyperparameters drawn."""
    start, epochs = _epochs(run, 1)
    return Order(
        member=member,
        generation=1,
        parent=None,
        copied=False,
        hyperparameters=draw(_space(run), seed=run.seed, member=member),
        start_epoch=start,
        epochs=epochs,
        why="start",
    )


# Synchronous: all members end a generation before the next begins.
def _all_together(ledger: Ledger, run: Run) -> list[Order]:
    newest = ledger.generation
    if ledger.board.complete == newest and not is_over(ledger):
        newest += 1  # and else the rest of those that an earlier controller did not come to give
    if lacks_what_came_before(ledger):
        return []  # another gave some
    due = [m for m in range(run.population) if ledger.newest[m] < newest]
    return [order for order in orders_of(ledger, run, newest) if order.member in due] if due else []


def orders_of(ledger: Ledger, run: Run, generation: int) -> list[Order]:
    """Return all orders of `generation`, 2 or later, derived from the scores of the one before.

    Raises `AllLost` if no member of that one has a score.
    """
    scores = {leg.order.member: leg.score for leg in ledger.legs_of(generation - 1)}
    decisions = decide(scores, seed=run.seed, generation=generation - 1)
    return [_order(ledger, run, decision, generation) for decision in decisions]


def _order(ledger: Ledger, run: Run, decision: Decision, generation: int) -> Order:
    parent = (decision.parent, generation - 1)
    start, epochs = _epochs(run, generation)
    return Order(
        member=decision.member,
        generation=generation,
        parent=parent,
        copied=decision.copies,
        hyperparameters=_hyperparameters(
            ledger, run, decision.member, generation, parent, decision.copies
        ),
        start_epoch=start,
        epochs=epochs,
        why=decision.why,
    )


# Asynchronous: nobody waits for the slowest.
def _each_by_itself(ledger: Ledger, run: Run) -> Iterator[Order]:
    if is_over(ledger):
        return
    last = last_of(run)
    for leg in ledger.newest_legs():
        if leg.settled and leg.order.generation < last:
            order = next_order(ledger, run, leg, rival_now(ledger, run, leg))
            if order is not None:
                yield order


def rival_now(ledger: Ledger, run: Run, leg: Leg) -> Rival | None:
    """Return whom the member compares with, by what is known now."""
    return rival_of(
        leg.order.member,
        leg.score,
        seed=run.seed,
        generation=leg.order.generation,
        population=run.population,
        newest=ledger.board.newest_score,
    )


def next_order(ledger: Ledger, run: Run, leg: Leg, rival: Rival | None) -> Order | None:
    """Return the order that follows a settled leg; None: it is lost, with nobody to copy yet."""
    member, generation = leg.place
    decision = decide_alone(member, leg.score, rival, generation=generation)
    return _lone_order(ledger, run, decision, generation + 1) if decision else None


def _lone_order(ledger: Ledger, run: Run, decision: LoneDecision, generation: int) -> Order:
    parent = ledger.legs[decision.parent].order
    rival = decision.rival
    return Order(
        member=decision.member,
        generation=generation,
        parent=decision.parent,
        copied=decision.copies,
        hyperparameters=_hyperparameters(
            ledger, run, decision.member, generation, decision.parent, decision.copies
        ),
        # The ramps go on where the weights are; generations are the member's own.
        start_epoch=parent.start_epoch + parent.epochs,
        epochs=_epochs(run, generation)[1],
        why=decision.why,
        compared=Compared(member=rival.member, generation=rival.generation, score=rival.score)
        if rival
        else None,
    )


def _hyperparameters(
    ledger: Ledger, run: Run, member: int, generation: int, parent: Place, copies: bool
) -> dict[str, float]:
    values = ledger.legs[parent].order.hyperparameters
    if not copies:
        return values
    return perturb(_space(run), values, seed=run.seed, generation=generation, member=member)


def _space(run: Run) -> dict[str, Hyperparameter]:
    return {path: Hyperparameter.from_json(entry) for path, entry in run.search_space.items()}


def _epochs(run: Run, generation: int) -> tuple[int, int]:
    return generation_epochs(
        generation,
        burn_in=run.pbt.burn_in_epochs,
        interval=run.pbt.generation_epochs,
        max_epochs=run.pbt.max_epochs,
    )
