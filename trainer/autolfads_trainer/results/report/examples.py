"""The few trials that the report shows: what was recorded, and what the model makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrialExamples:
    """Spikes and rates of k trials. Raises `ValueError` where shapes disagree."""

    spikes: NDArray[np.floating]
    """(k, time, channels), counts per bin."""
    rates: NDArray[np.floating]
    """(k, time, channels), spikes per bin."""
    truth: NDArray[np.floating] | None
    """(k, time, channels), true rates in spikes per bin, where they are known."""
    numbers: Sequence[int]
    """(k), the trials' numbers in their split."""
    bin_seconds: float | None
    """Width of a bin; None where the file does not say."""
    heldin: int
    """Channels from this one on were held out from the model's input."""
    encod_steps: int
    """Bins from this one on were forecast."""

    def __post_init__(self) -> None:
        shape = np.shape(self.spikes)
        if len(shape) != 3:
            raise ValueError(f"spikes have shape {shape}; expected (trials, time, channels)")
        for name, values in (("rates", self.rates), ("truth", self.truth)):
            if values is not None and np.shape(values) != shape:
                found = f"{name} have shape {np.shape(values)}"
                raise ValueError(f"{found}; expected the spikes' shape {shape}")
        if len(self.numbers) != shape[0]:
            found = f"{len(self.numbers)} trial numbers"
            raise ValueError(f"{found} are given; expected one for each of {shape[0]} trials")
        if self.bin_seconds is not None and not self.bin_seconds > 0:
            raise ValueError(f"bin_seconds is {self.bin_seconds}; expected more than 0")
