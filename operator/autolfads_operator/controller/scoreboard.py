"""Scores as the ledger holds them."""

from __future__ import annotations

from autolfads_operator import pbt
from autolfads_operator.controller.ledger import Ledger, Leg


def score_of(leg: Leg) -> float | None:
    """Return a leg's score; None: lost, or not there yet."""
    finished = leg.finished
    return finished.outcome.score if finished and finished.outcome else None


def generation_scores(ledger: Ledger, generation: int) -> dict[int, float | None]:
    """Return each member's score at the end of a generation; None: lost, or not there yet."""
    return {leg.order.member: score_of(leg) for leg in ledger.legs_of(generation)}


def scores_so_far(ledger: Ledger) -> dict[tuple[int, int], float | None]:
    """Return all scores by (generation, member), as the algorithm takes them."""
    return {
        (generation, member): score_of(leg) for (member, generation), leg in ledger.legs.items()
    }


def best_leg(ledger: Ledger) -> Leg:
    """Return the leg whose end is the run's result so far. Raises `LookupError` when none has."""
    best = pbt.best(scores_so_far(ledger))
    if best is None:
        raise LookupError("no member has a score yet")
    generation, member = best
    return ledger.legs[member, generation]
