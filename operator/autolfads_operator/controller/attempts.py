"""When attempts are used up, and from where the next one starts."""

from __future__ import annotations

from collections.abc import Sequence

from autolfads_operator.controller.ledger import Attempt
from autolfads_trainer.records import Outcome

MAX_FAILED = 3
MAX_ABANDONED = 10  # in a row, with nothing new saved


def used_up(attempts: Sequence[Attempt]) -> bool:
    """Return whether there is no next attempt.

    After three failures, or ten abandoned attempts in a row with nothing new saved. Leaving early
    (`saved`) never counts, nor does input that the user must mend: the run waits for that.
    """
    failed = abandoned = 0
    furthest = (0, 0)
    for attempt in attempts:
        outcome = attempt.outcome
        if outcome is None:
            continue
        reached = progress(outcome)
        if outcome.outcome == "failed" and not outcome.input_error:
            failed, abandoned = failed + 1, 0
        elif outcome.outcome == "abandoned" and reached <= furthest:
            abandoned += 1
        else:
            abandoned = 0
        furthest = max(furthest, reached)
    return failed >= MAX_FAILED or abandoned >= MAX_ABANDONED


def progress(outcome: Outcome) -> tuple[int, int]:
    """Return (epochs, further steps) of the newest checkpoint that an attempt left."""
    if outcome.checkpoint is None or outcome.epoch is None:
        return (0, 0)
    return (outcome.epoch, outcome.steps)


def newest_save(attempts: Sequence[Attempt]) -> str | None:
    """Return the checkpoint that is furthest within the generation, if any attempt left one."""
    saves = [
        (progress(attempt.outcome), attempt.outcome.checkpoint)
        for attempt in attempts
        if attempt.outcome is not None and attempt.outcome.outcome in ("saved", "abandoned")
    ]
    named = [(reached, checkpoint) for reached, checkpoint in saves if checkpoint is not None]
    return max(named)[1] if named else None


def last_reason(attempts: Sequence[Attempt]) -> str | None:
    """Return why the newest attempt that failed or was abandoned did so."""
    for attempt in reversed(attempts):
        if attempt.outcome is not None and attempt.outcome.reason:
            return attempt.outcome.reason
    return None
