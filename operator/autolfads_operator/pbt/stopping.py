"""The improvement rule: a run ends once its best score hardly changes any more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def has_stopped_improving(
    best_scores: Sequence[float], *, patience: int, min_improvement_ratio: float
) -> bool:
    """Return whether the best score improved too little over the last `patience` generations.

    That is, whether (best then - best now) / mean |best| is at most `min_improvement_ratio`, where
    `best` is the best score seen so far at the end of a generation, `then` is `patience`
    generations ago, and the mean is over the last `patience` generations. It is multiplied out, so
    nothing is divided by a mean of 0: a best score that has stayed 0 has stopped improving.

    Args:
        best_scores: the best finite score of each generation so far; may go up as well as down.
        patience: generations, at least 1. No run ends before `patience` + 1 of them.
        min_improvement_ratio: without unit, such as 5e-4.

    Raises:
        ValueError: `patience` is below 1.
    """
    if patience < 1:
        raise ValueError(f"patience is {patience}; expected at least 1 generation")
    if len(best_scores) <= patience:
        return False
    running = list(accumulate(best_scores, min))
    improvement = running[-1 - patience] - running[-1]
    mean_size = sum(abs(score) for score in running[-patience:]) / patience
    return improvement <= min_improvement_ratio * mean_size
