"""Smoothing over time within a trial."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from autolfads_trainer.data.hdf5 import opened
from autolfads_trainer.data.pcr.settings import Settings
from autolfads_trainer.data.safety import BROKEN
from autolfads_trainer.userinput import InputError

UNASKED_BINS = 2.0
BIN_WIDTH = "bin_width_seconds"  # attribute of a data file


def smoothed(rates: NDArray[np.float64], bins: float) -> NDArray[np.float64]:
    """Return `rates` `(conditions, steps, channels)` smoothed by a Gaussian of std `bins`.

    0 leaves them as they are. At the ends of a trial what lies beyond counts for nothing, so that
    a constant rate stays the same there.
    """
    if bins == 0:
        return rates

    def blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(gaussian_filter1d(values, bins, axis=1, mode="constant"))

    return blurred(rates) / blurred(np.ones((1, rates.shape[1], 1)))


def width_in_bins(path: Path, settings: Settings) -> float:
    """Return the Gaussian's std in bins of the file at `path`.

    Raises `InputError` where it was given in ms and the file does not say how long a bin is.
    """
    if settings.smooth_ms is None:
        return UNASKED_BINS if settings.smooth_bins is None else settings.smooth_bins
    found: object = None
    try:
        with opened(path) as file:
            found = file.attrs.get(BIN_WIDTH)
            seconds = math.nan if found is None else float(np.asarray(found).item())
    except BROKEN as error:
        if isinstance(error, InputError):
            raise
        seconds = math.nan
    if not 0 < seconds < math.inf:
        what = "no" if found is None else "no usable"
        raise InputError(
            f"{path}: has {what} attribute {BIN_WIDTH}; expected the seconds of a bin there, "
            "or --smooth-bins"
        )
    return settings.smooth_ms / 1000 / seconds
