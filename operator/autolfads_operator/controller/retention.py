"""Which checkpoints no order can need any more."""

from __future__ import annotations

from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.scoreboard import best_leg
from autolfads_trainer.records import Place


def unneeded(ledger: Ledger) -> list[tuple[Place, str]]:
    """Return the checkpoints that can be removed, with the leg that each belongs to.

    Needed are: that of the best score so far; those of the newest generation; and those of the
    generation before it that an order names whose member has not finished.  What an attempt left
    that did not finish its leg is not needed once another one has.
    """
    try:
        best = best_leg(ledger).place
    except LookupError:
        return []
    newest = ledger.generation
    legs = ledger.legs_of(newest)
    complete = ledger.run is not None and len(legs) == ledger.run.population
    parents = {leg.order.parent for leg in legs if leg.finished is None}
    found = []
    for (member, generation), leg in ledger.legs.items():
        place = (member, generation)
        finished = leg.finished
        for attempt in leg.attempts:
            checkpoint = attempt.outcome.checkpoint if attempt.outcome else None
            if checkpoint is None:
                continue
            if attempt is finished:
                needed = (
                    place == best
                    or generation == newest
                    or (generation == newest - 1 and (not complete or place in parents))
                )
            else:
                needed = finished is None and generation == newest
            if not needed:
                found.append((place, checkpoint))
    return found
