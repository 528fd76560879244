"""Who becomes a copy of whom at the end of a generation.

Members meet in random pairs and the worse of a pair becomes a copy of the better, in weights,
optimizer state and metric memory (exploit). The caller perturbs the hyperparameters of every copy
(explore).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .randomness import Stream
from .selection import finite

LOST = "score missing or not finite"


class AllLost(Exception):  # noqa: N818 - the name of an outcome, which the run then reports
    """No member has a finite score at the end of a generation: the run cannot go on."""


@dataclass(frozen=True)
class Decision:
    """How a member goes on after a generation.

    Attributes:
        member: whom this is about.
        parent: the member whose checkpoint of that generation it goes on from.
        copies: whether that is another member, so that hyperparameters are perturbed.
        why: one sentence for users.
    """

    member: int
    parent: int
    copies: bool
    why: str


def decide(
    scores: Mapping[int, float | None], *, seed: int, generation: int
) -> tuple[Decision, ...]:
    """Decide how each member goes on after `generation`.

    Args:
        scores: each member's score at the end of `generation`, lower is better. `None`, NaN and
            both infinities mean that the member is lost.
        seed: the run's seed.
        generation: the generation that has ended; pairs are drawn anew for each.

    Returns:
        One decision per member, by member number.

    Raises:
        AllLost: no score is finite.
    """
    counted = finite(scores)
    if not counted:
        raise AllLost("all scores are NaN or infinite")
    best = min(counted, key=lambda member: (counted[member], member))
    opponents = dict(_pairs(sorted(scores), seed=seed, generation=generation))
    return tuple(
        _decision(member, opponents.get(member), counted, best) for member in sorted(scores)
    )


def _pairs(members: Sequence[int], *, seed: int, generation: int) -> Iterator[tuple[int, int]]:
    """Yield (member, opponent) both ways; of an odd number of members one is left out."""
    order = Stream(seed, "pair", generation).shuffled(members)
    for one, other in zip(order[::2], order[1::2], strict=False):
        yield one, other
        yield other, one


def _decision(
    member: int, opponent: int | None, scores: Mapping[int, float], best: int
) -> Decision:
    if member not in scores:
        return _replacement(member, opponent, scores, best)
    if opponent is None:
        return Decision(member, member, False, "no opponent this time")
    if opponent not in scores:
        return Decision(member, member, False, f"beat member {opponent} ({LOST})")
    own, theirs = shown_apart(scores[member], scores[opponent])
    if scores[member] > scores[opponent]:
        return Decision(member, opponent, True, f"lost to member {opponent} ({own} > {theirs})")
    if scores[member] < scores[opponent]:
        return Decision(member, member, False, f"beat member {opponent} ({own} < {theirs})")
    return Decision(member, member, False, f"tied with member {opponent} ({own})")


def _replacement(
    member: int, opponent: int | None, scores: Mapping[int, float], best: int
) -> Decision:
    if opponent is not None and opponent in scores:
        why = f"{LOST}; replaced by its opponent, member {opponent}"
        return Decision(member, opponent, True, why)
    nobody = "no opponent" if opponent is None else f"so is that of its opponent, member {opponent}"
    why = f"{LOST}, {nobody}; replaced by this generation's best, member {best}"
    return Decision(member, best, True, why)


def shown_apart(one: float, other: float) -> tuple[str, str]:
    """Return both scores in four digits, or in as many as it takes to tell them apart."""
    texts = [(f"{one:.{digits}g}", f"{other:.{digits}g}") for digits in range(4, 18)]
    return next((pair for pair in texts if pair[0] != pair[1]), texts[0])
