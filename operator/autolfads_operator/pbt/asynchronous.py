"""How a member goes on by itself, when nobody waits for the slowest (asynchronous mode).

A member that ends a generation draws one opponent and compares with that opponent's newest score of
the same or an earlier generation. Which one that is depends on the hour; so it is recorded with the
decision, and the decision can be made again from the record.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from .randomness import Stream
from .tournament import LOST, shown_apart

Newest = Callable[[int, int], tuple[int, float] | None]
"""(member, generation) to (generation, score) of its newest finite score up to that generation."""


@dataclass(frozen=True)
class Rival:
    """Whom a member compared with, at the end of which generation, and with which score.

    Without generation and score the opponent had none yet.
    """

    member: int
    generation: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class LoneDecision:
    """How a member goes on after a generation.

    Attributes:
        member: whom this is about.
        parent: (member, generation) at whose end it goes on.
        copies: whether that is another member, so that hyperparameters are perturbed.
        rival: whom it compared with; `None` when there is nobody else.
        why: one sentence for users.
    """

    member: int
    parent: tuple[int, int]
    copies: bool
    rival: Rival | None
    why: str


@lru_cache(maxsize=100_000)  # asked again in each turn of each generation that somebody is behind
def opponent(*, seed: int, generation: int, member: int, population: int) -> int | None:
    """Draw the opponent of `member` at the end of `generation`; `None` in a population of 1."""
    if population < 2:
        return None
    drawn = int(Stream(seed, "opponent", generation, member).uniform() * (population - 1))
    return drawn + (drawn >= member)


def rival_of(
    member: int, score: float | None, *, seed: int, generation: int, population: int, newest: Newest
) -> Rival | None:
    """Return whom `member` compares with now, at the end of `generation`.

    A member that is lost, and whose opponent has no score yet, compares with the best of all.
    `None`: there is nobody else.
    """
    drawn = opponent(seed=seed, generation=generation, member=member, population=population)
    if drawn is None:
        return None
    found = newest(drawn, generation)
    if found is None and not _counts(score):
        scores = [
            (known[1], other, known[0])
            for other in range(population)
            if other != member and (known := newest(other, generation)) is not None
        ]
        if scores:
            best, other, of = min(scores)
            return Rival(other, of, best)
    return Rival(drawn, *found) if found else Rival(drawn)


def decide_alone(
    member: int, score: float | None, rival: Rival | None, *, generation: int
) -> LoneDecision | None:
    """Decide how `member` goes on after `generation`.

    Args:
        member: whom this is about.
        score: its own score, lower is better; `None`, NaN and both infinities: it is lost.
        rival: whom it compares with.
        generation: the generation that it has ended.

    Returns:
        `None` when it is lost and there is nobody to copy: it waits until there is.
    """
    here = (member, generation)
    if rival is None or rival.generation is None or not _counts(rival.score):
        if not _counts(score):
            return None
        why = (
            "no opponent" if rival is None else f"its opponent, member {rival.member}, has no score"
        )
        return LoneDecision(member, here, False, rival, why)
    assert rival.score is not None  # noqa: S101  (it counts)
    there = (rival.member, rival.generation)
    if score is None or not _counts(score):
        why = f"{LOST}; replaced by {_called(rival)}"
        return LoneDecision(member, there, True, rival, why)
    own, theirs = shown_apart(score, rival.score)
    if score > rival.score:
        why = f"lost to {_called(rival)} ({own} > {theirs})"
        return LoneDecision(member, there, True, rival, why)
    word, sign = ("beat", "<") if score < rival.score else ("tied with", "=")
    why = f"{word} {_called(rival)} ({own} {sign} {theirs})"
    return LoneDecision(member, here, False, rival, why)


def _counts(score: float | None) -> bool:
    return score is not None and math.isfinite(score)


def _called(rival: Rival) -> str:
    return f"member {rival.member} as of generation {rival.generation}"
