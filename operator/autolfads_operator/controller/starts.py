"""From which checkpoint an attempt starts, and what to do when that one is damaged.

The newest save of this generation, else the end of the parent's. One that is cut, changed or gone
is never asked for twice: the save before it is used, and the end of a generation is made again,
from what it was made from, if need be from the beginning. That gives the same weights, so no
decision changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from autolfads_operator.controller.attempts import saves, used_up
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_trainer.records import Outcome, Place


@dataclass(frozen=True)
class Start:
    """Start `leg` from this checkpoint; None: from new weights."""

    leg: Leg
    checkpoint: str | None = None
    sha256: str | None = None
    resume: bool = False


@dataclass(frozen=True)
class Hopeless:
    """What is needed is damaged, and making it again was tried as often as it is."""

    reason: str


@dataclass(frozen=True)
class Forgotten:
    """What is needed is not in the ledger: it was over, or another controller has just made it."""

    place: Place


@dataclass(frozen=True)
class Unseen:
    """What is needed was decided, but is not seen yet: a volume can be slow to show it."""

    leg: Leg


def end_of(ledger: Ledger, leg: Leg) -> Outcome | None:
    """Return the outcome whose checkpoint is the end of this leg, undamaged and not removed."""
    # Attempts after one that finished say that its end is damaged, or removed.
    last = leg.attempts[-1] if leg.attempts else None
    if last is None or last.outcome is None or not last.has_finished:
        return None
    path = last.outcome.checkpoint
    if path is None or path in ledger.damaged or last.was_removed(path):
        return None
    return last.outcome


def start_of(ledger: Ledger, leg: Leg) -> Start | Hopeless | Forgotten | Unseen:
    """Return how to go on with `leg`: where to start it, or another leg to be made again first."""
    outcomes = [attempt.outcome for attempt in leg.attempts]
    if leg.finished is None:  # the saves of a finished leg were removed
        for save in saves(outcomes, ledger.damaged):
            return Start(leg, save.checkpoint, save.sha256, resume=True)
    if leg.order.parent is None:
        return Start(leg)
    parent = ledger.legs.get(leg.order.parent)
    if parent is None:
        return Forgotten(leg.order.parent)
    end = end_of(ledger, parent)
    if end is not None:
        return Start(leg, end.checkpoint, end.sha256)
    if parent.finished is None:
        return Unseen(parent)
    return made_again(ledger, parent)


def made_again(ledger: Ledger, leg: Leg) -> Start | Hopeless | Forgotten | Unseen:
    """Return how to make the end of a finished leg again, whose checkpoint is damaged."""
    if used_up([attempt.outcome for attempt in leg.attempts]):
        return Hopeless("and could not be made again")
    return start_of(ledger, leg)
