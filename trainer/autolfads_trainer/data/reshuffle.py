"""Splitting trials into those of training and of validation anew, as the existing pipeline does."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def validation_trials(train: int, valid: int, ratio: float | None) -> int:
    """Return how many of all trials are for validation: a share of them, or as many as before."""
    return valid if ratio is None else math.ceil(ratio * (train + valid))


@dataclass(frozen=True)
class TrialOrder:
    """Which trials go where, counted from the first of training to the last of validation."""

    train: Indices
    valid: Indices

    @classmethod
    def drawn(cls, train: int, valid: int, seed: int, ratio: float | None) -> TrialOrder:
        """Draw it: the same seed splits the same file as the existing pipeline does.

        That takes validation trials from the front of a permutation, and those of training from
        what follows.
        """
        order = np.random.RandomState(seed).permutation(train + valid)
        chosen = validation_trials(train, valid, ratio)
        return cls(order[chosen:], order[:chosen])
