"""What a session's read-in and read-out start from, where its file says it (`autolfads pcr`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.safety import declared, numbers_of, refuse_what_does_not_fit
from autolfads_trainer.userinput import InputError

READIN_WEIGHT, READOUT_BIAS, READOUT_WEIGHT = "readin_weight", "readout_bias", "readout_weight"


@dataclass(frozen=True)
class StartArrays:
    """Of D held-in channels among N, and F components."""

    readin_weight: NDArray[np.float32]  # (D, F)
    readin_bias: NDArray[np.float32]  # (F,)  −readout_bias · readin_weight
    readout_weight: NDArray[np.float32]  # (N, F)  where not given: pinv(readin_weight)ᵀ
    readout_bias: NDArray[np.float32]  # (N,)
    alignment: str = ""  # the same of files that were aligned with each other; empty: not known


def read_start(
    file: h5py.File, keys: frozenset[str], heldin: int, channels: int, path: Path
) -> StartArrays | None:
    """Return what the file has of it; None: nothing. Raises `InputError` for what does not fit.

    A file made by the existing tools has `readin_weight (D, F)` and `readout_bias (N,)`; where
    channels are held out `readout_weight (N, F)` is needed, too.
    """
    if READIN_WEIGHT not in keys:
        return None
    if READOUT_BIAS not in keys:
        raise InputError(
            f"{path}: has '{READIN_WEIGHT}' but no '{READOUT_BIAS}'; expected both or neither"
        )
    weight = _array(file, READIN_WEIGHT, path, (heldin, None), "held-in channels, components")
    bias = _array(file, READOUT_BIAS, path, (channels,), "channels")
    if READOUT_WEIGHT in keys:
        shape = (channels, weight.shape[1])
        readout = _array(file, READOUT_WEIGHT, path, shape, "channels, components")
    elif heldin == channels:
        readout = np.linalg.pinv(weight).T
    else:
        raise InputError(
            f"{path}: has '{READIN_WEIGHT}' of {heldin} held-in channels but no '{READOUT_WEIGHT}' "
            f"for all {channels}; expected one: 'autolfads pcr' makes it"
        )
    arrays = (weight, -bias[:heldin] @ weight, readout, bias)
    found = [np.ascontiguousarray(array, np.float32) for array in arrays]
    alignment = str(file[READIN_WEIGHT].attrs.get("alignment", ""))[:64]
    return StartArrays(found[0], found[1], found[2], found[3], alignment)


def _array(
    file: h5py.File, name: str, path: Path, shape: tuple[int | None, ...], axes: str
) -> NDArray[Any]:
    found = declared(file, name, path)
    fits = len(found.shape) == len(shape) and all(
        size == wanted or (wanted is None and size > 0)
        for size, wanted in zip(found.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise InputError(
            f"{path}: '{name}' has the shape {found.shape}; expected ({wanted}): {axes}"
        )
    refuse_what_does_not_fit([found], path)
    values = numbers_of(found, path, np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{path}: '{name}' holds a number that is not finite; expected none")
    return values
