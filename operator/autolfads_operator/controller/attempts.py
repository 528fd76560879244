"""When attempts are used up, and what they left behind."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from autolfads_trainer.records import Outcome

MAX_FAILED = 3
MAX_ABANDONED = 10  # in a row, with nothing new saved
MAX_FINISHED = 4  # more than one only where the end that was made was damaged, or gone


def used_up(outcomes: Iterable[Outcome | None]) -> bool:
    """Return whether there is no next attempt after these; None: it has no outcome yet.

    After three failures, or ten abandoned attempts in a row with nothing new saved. Leaving early
    (`saved`) never counts, nor does input that the user must mend: the run waits for that. What was
    abandoned by a controller that does not know the worker does not count either: it may have had
    much to do and no time to say so, and how long a step takes must not decide anything. A
    damaged start does not count either: it is made again, or the leg is given up (`final`). But an
    end that is damaged as often as it is made is not made without end.
    """
    failed = abandoned = finished = 0
    furthest = (0, 0)
    for outcome in outcomes:
        if outcome is None:
            return False
        if outcome.final:
            return True
        finished += outcome.outcome == "finished"
        reached = progress(outcome)
        if outcome.damaged is not None:
            continue
        if outcome.outcome == "failed" and not outcome.input_error:
            failed, abandoned = failed + 1, 0
        elif outcome.outcome == "abandoned" and reached <= furthest:
            abandoned += not outcome.stranger
        else:
            abandoned = 0
        furthest = max(furthest, reached)
    return failed >= MAX_FAILED or abandoned >= MAX_ABANDONED or finished >= MAX_FINISHED


def progress(outcome: Outcome) -> tuple[int, int]:
    """Return (epochs, further steps) of the newest checkpoint that an attempt left."""
    if outcome.checkpoint is None or outcome.epoch is None:
        return (0, 0)
    return (outcome.epoch, outcome.steps)


def saves(outcomes: Sequence[Outcome | None], damaged: Collection[str]) -> list[Outcome]:
    """Return the outcomes that left a checkpoint to go on from, the furthest first."""
    left = [
        outcome
        for outcome in outcomes
        if outcome is not None
        and outcome.outcome in ("saved", "abandoned")
        and outcome.checkpoint is not None
        and outcome.checkpoint not in damaged
    ]
    return sorted(left, key=progress, reverse=True)


def score_should_be(outcome: Outcome, metric: str) -> str | None:
    """Return in words what the score of a training attempt should be; None: it can be what it is.

    A worker writes the metrics of the last epoch beside it, and a reason where there is no score.
    """
    if outcome.outcome != "finished":
        return None if outcome.score is None else "none, since the attempt did not finish"
    if outcome.score is None:
        return None if outcome.reason else "a number, or a reason why there is none"
    last = outcome.result.get("last")
    value = last.get(metric) if isinstance(last, dict) else None
    if type(value) is not float:
        # The first format did not promise to have them.
        return f"the {metric} of its metrics, which lack it" if outcome.format > 1 else None
    return None if value == outcome.score else f"{value}, as in its metrics"


def last_reason(outcomes: Sequence[Outcome | None]) -> str | None:
    """Return why the newest attempt that failed or was abandoned did so."""
    for outcome in reversed(outcomes):
        if outcome is not None and outcome.outcome in ("failed", "abandoned") and outcome.reason:
            return outcome.reason
    return None
