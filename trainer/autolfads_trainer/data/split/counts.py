"""Whether an array can be spike counts, and which value says that it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.userinput import InputError, shown

AXES = ("trials", "time bins", "channels")
LARGEST = 2**24  # the last whole number that float32 can count to


def check_axes(array: NDArray[Any], where: str) -> None:
    """Raise `InputError`, starting with `where`, unless `array` is `(trials, time, channels)`."""
    if array.ndim != 3:
        raise InputError(
            f"{where}: found {array.ndim} axes, sizes {array.shape}; "
            "expected three: (trials, time, channels)"
        )
    for name, size in zip(AXES, array.shape, strict=True):
        if size == 0:
            raise InputError(f"{where}: found zero {name}, sizes {array.shape}; expected some")


def check_counts(array: NDArray[Any], where: str) -> None:
    """Raise `InputError` for the first element that is no spike count, naming where it lies.

    `array` is `(trials, time, channels)`, spikes per bin.
    """
    if array.dtype.kind == "b":
        return
    if array.dtype.kind not in "uif":
        raise InputError(f"{where}: found {array.dtype} elements; expected spike counts")
    for trial, counts in enumerate(array):  # a trial at a time: no second array as large as all
        wrong = ~((counts >= 0) & (counts <= LARGEST) & (counts == np.floor(counts)))  # NaN: wrong
        if wrong.any():
            bin_, channel = np.argwhere(wrong)[0]
            raise InputError(
                f"{where}: trial {trial}, bin {bin_}, channel {channel} (counted from 0): found "
                f"{shown(counts[bin_, channel].item())}; expected a spike count, "
                "a whole number of at least 0"
            )


def could_be_counts(array: NDArray[Any]) -> bool:
    """Return whether `check_axes` and `check_counts` let `array` pass."""
    try:
        check_axes(array, "")
        check_counts(array, "")
    except InputError:
        return False
    return True
