"""Which trials are for validation: the three ways of choosing them. Pure.

Each function returns truth values `(trials,)`, true for a validation trial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.userinput import InputError, shown


@dataclass(frozen=True)
class Every:
    """Every `n`-th trial is for validation."""

    n: int

    def __str__(self) -> str:
        return f"every {self.n}"


@dataclass(frozen=True)
class RandomFraction:
    """A random `fraction` of the trials is for validation."""

    fraction: float
    seed: int = 0

    def __str__(self) -> str:
        return f"random {self.fraction:g}, seed {self.seed}"


@dataclass(frozen=True)
class ByCondition:
    """A random `fraction` of each condition's trials is; the array `key` names the conditions."""

    key: str
    fraction: float = 0.2
    seed: int = 0

    def __str__(self) -> str:
        return f"by {self.key}, fraction {self.fraction:g}, seed {self.seed}"


Rule = Every | RandomFraction | ByCondition


def every_nth(trials: int, n: int) -> NDArray[np.bool_]:
    """Choose the n-th trial, the 2n-th, and so on, counted from 1.

    Raises `InputError` for an `n` below 2, which would leave nothing to train on.
    """
    if n < 2:
        raise InputError(f"--every: found {shown(n)}; expected a whole number of at least 2")
    return np.asarray(np.arange(1, trials + 1) % n == 0)


def random_fraction(trials: int, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose a random `fraction` of the trials (to the nearest trial), the same for a seed.

    Raises `InputError` for a fraction outside 0..1 and a negative seed.
    """
    chosen = np.zeros(trials, dtype=np.bool_)
    chosen[_drawn(np.arange(trials), round(trials * _share(fraction, "--random")), seed)] = True
    return chosen


def within_conditions(conditions: NDArray[Any], fraction: float, seed: int) -> NDArray[np.bool_]:
    """Choose at random a `fraction` of the trials of each condition.

    `conditions` `(trials,)` holds numbers or words. A condition of two trials or more has at least
    one on each side; a condition of a single trial is for training.
    Raises `InputError` for a fraction outside 0..1 and a negative seed.
    """
    _share(fraction, "--valid-fraction")
    chosen = np.zeros(len(conditions), dtype=np.bool_)
    for number, condition in enumerate(np.unique(conditions)):
        members = np.flatnonzero(conditions == condition)
        wanted = max(1, round(len(members) * fraction))
        chosen[_drawn(members, min(wanted, len(members) - 1), seed, number)] = True
    return chosen


def _drawn(trials: NDArray[np.int64], wanted: int, *seed: int) -> NDArray[np.int64]:
    if seed[0] < 0:
        raise InputError(f"--seed: found {seed[0]}; expected a whole number of at least 0")
    return np.random.default_rng(seed).permutation(trials)[:wanted]


def _share(fraction: float, option: str) -> float:
    if not 0 < fraction < 1:
        raise InputError(f"{option}: found {shown(fraction)}; expected a number between 0 and 1")
    return fraction
