"""The condition of each trial, for a split within conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.split.arrays import TrialFile
from autolfads_trainer.userinput import InputError


def conditions(source: TrialFile, key: str, trials: int) -> NDArray[Any]:
    """Return the conditions `(trials,)` under `key`: numbers or words.

    Raises `InputError` for another length, NaN, and for conditions that no two trials share.
    """
    array = source.arrays[source.name_of(key, "--by")]
    where = f"{source.path}: --by {key}"
    if array.shape == (trials, 1):
        array = array[:, 0]
    if array.shape != (trials,):
        raise InputError(
            f"{where}: found sizes {array.shape}; expected ({trials},), one condition per trial"
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        trial = int(np.flatnonzero(np.isnan(array))[0])
        raise InputError(
            f"{where}: trial {trial} (counted from 0): found NaN; expected a condition"
        )
    if len(np.unique(array)) == trials > 1:
        hint = ", which looks like a measurement" if array.dtype.kind == "f" else ""
        raise InputError(
            f"{where}: found another value for each of the {trials} trials{hint}; "
            "expected conditions that several trials share"
        )
    return array
