"""Which checkpoints no order can need any more."""

from __future__ import annotations

from autolfads_operator.controller.attempts import newest_save
from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.scoreboard import best_leg
from autolfads_trainer.records import Place
from autolfads_trainer.store import RunFolder


def unneeded(ledger: Ledger) -> list[tuple[Place, str]]:
    """Return the checkpoints that can be removed, with the leg that each belongs to.

    Needed are: that of the best score so far; those of the newest generation; those of the
    generation before it that an order names whose member has not finished; and of a leg that
    nobody has finished the newest save. Whatever else an attempt left that is over, also when it
    did not live to say so, is not needed.
    """
    try:
        best = best_leg(ledger).place
    except LookupError:
        best = None
    newest = ledger.generation
    legs = ledger.legs_of(newest)
    complete = ledger.run is not None and len(legs) == ledger.run.population
    parents = {leg.order.parent for leg in legs if leg.finished is None}
    found = []
    for place, leg in ledger.legs.items():
        generation = place[1]
        finished = leg.finished
        saved = newest_save(leg.attempts)
        for attempt in leg.attempts:
            checkpoint = RunFolder.checkpoint_in(attempt.task.folder)
            if attempt is finished:
                needed = (
                    place == best
                    or generation == newest
                    or (generation == newest - 1 and (not complete or place in parents))
                )
            else:
                unfinished = finished is None and generation == newest
                needed = attempt.open or (unfinished and checkpoint == saved)
            if not needed:
                found.append((place, checkpoint))
    return found
