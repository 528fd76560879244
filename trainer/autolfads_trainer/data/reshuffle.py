"""Splitting trials into those of training and of validation anew, as the existing pipeline does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.config.defaults import validation_trials

Indices = NDArray[np.intp]


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
