"""Which scores count, and which checkpoint is the result of a run. Lower scores are better."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def finite(scores: Mapping[Key, float | None]) -> dict[Key, float]:
    """Return the scores that count, without those that are lost: missing, NaN or infinite.

    Minus infinity is lost as well: no training is infinitely good.
    """
    return {
        key: score for key, score in scores.items() if score is not None and math.isfinite(score)
    }


def best(scores: Mapping[tuple[int, int], float | None]) -> tuple[int, int] | None:
    """Return the (generation, member) with the best score at the end of any generation.

    Of equal scores the earliest generation's counts, then the lowest member's. Returns `None`
    when every score is lost.
    """
    candidates = [(score, key) for key, score in finite(scores).items()]
    return min(candidates)[1] if candidates else None


def best_of_each_generation(scores: Mapping[tuple[int, int], float | None]) -> tuple[float, ...]:
    """Return the best score of each generation, in order, as the stopping rule takes them.

    Args:
        scores: by (generation, member). Lost scores do not count, and neither does a generation
            in which all of them are lost.
    """
    lowest: dict[int, float] = {}
    for (generation, _), score in finite(scores).items():
        lowest[generation] = min(score, lowest.get(generation, math.inf))
    return tuple(lowest[generation] for generation in sorted(lowest))
