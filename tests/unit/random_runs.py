"""Hypothesis strategies: whole runs, their scores, and what may befall them on the way."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from hypothesis import strategies as st
from ledger_examples import Mini
from played_pool import Dies, Fails, Leaves, Play

SCORES = (0.1, 0.2, 0.2, 0.25, 0.3, 1 / 3, -0.5, 7.0)  # few, so that there are ties


@dataclass(frozen=True)
class Fate:
    """What each member's training comes to; the same whatever happens to its workers.

    `losses` is the share of legs that end without a score: NaN, infinite, or failing for ever.
    """

    seed: int
    losses: float

    def __call__(self, member: int, generation: int, _attempt: int) -> Play:
        chance = random.Random(f"{self.seed}/{member}/{generation}")
        if chance.random() < self.losses:
            return chance.choice([math.nan, math.inf, -math.inf, Fails()])
        return chance.choice(SCORES)


@dataclass(frozen=True)
class Trouble:
    """A fate with things besides it that must make no difference: the first attempts go wrong."""

    fate: Fate
    seed: int

    def __call__(self, member: int, generation: int, attempt: int) -> Play:
        chance = random.Random(f"{self.seed}/{member}/{generation}")
        troubles: list[Play] = [Dies(), Dies(0), Dies(1), Dies(2), Leaves(0), Leaves(1)]
        before = [chance.choice(troubles) for _ in range(chance.randint(0, 4))]
        before += [Fails("a passing error")] * chance.randint(0, 2)
        chance.shuffle(before)
        if attempt <= len(before):
            return before[attempt - 1]
        return self.fate(member, generation, attempt)


@st.composite
def minis(draw: st.DrawFn) -> Mini:
    """Return runs of 1 to 9 members and 1 to 5 generations."""
    return Mini(
        population=draw(st.integers(1, 9)),
        generations=draw(st.integers(1, 5)),
        seed=draw(st.integers(0, 2**31)),
        burn_in=draw(st.sampled_from([0, 2, 5])),
        interval=draw(st.sampled_from([2, 3])),
        patience=draw(st.sampled_from([1, 2, 1000])),
        min_improvement_ratio=draw(st.sampled_from([0.0, 5e-4, 0.2])),
    )


fates = st.builds(Fate, seed=st.integers(0, 10**6), losses=st.sampled_from([0.0, 0.2, 0.6]))
"""What members come to."""

seeds = st.integers(0, 10**6)
