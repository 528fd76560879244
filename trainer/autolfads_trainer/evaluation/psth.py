"""Condition means of rates against PSTHs: R² of each neuron, averaged.

As the Neural Latents Benchmark (Pei et al. 2021): a PSTH is the mean of smoothed spikes over all
trials of a condition, of every split; the rates' mean is over those of the split that is scored.
R² goes over conditions and bins together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.evaluation.conditions import Conditions, Members
from autolfads_trainer.evaluation.reading import OutputFile
from autolfads_trainer.evaluation.ridge import Floats
from autolfads_trainer.evaluation.trials import Trials
from autolfads_trainer.userinput import InputError

Psths = dict[Any, Floats]
"""Condition → its PSTH `(steps, neurons)` in spikes per bin; NaN: not scored."""

KEY = "psth"
_VARIES = 1e-12  # of the squares: less is rounding


def gaussian(steps: int, sd: float) -> Floats:
    """Return the weights `(steps, steps)` by which bins are smoothed, sd in bins; not normalised.

    By 5 sd they are nothing.
    """
    apart = np.subtract.outer(np.arange(steps), np.arange(steps)) / sd
    return np.where(np.abs(apart) <= 5, np.exp(-0.5 * apart**2), 0.0)


def psths_of(conditions: Conditions, splits: Mapping[str, Trials], kernel_bins: float) -> Psths:
    """Return the PSTHs of smoothed data, of all splits that have any.

    At the ends of a trial, and beside missing data, the kernel weighs what is there.
    """
    found: Psths = {}
    for condition in conditions.all:
        total: Floats | None = None
        for split, members in conditions.members.items():
            data = splits[split].data
            for trial in members.get(condition, ()):
                if data is not None:
                    seen = ~np.isnan(data[trial])
                    both = np.stack([np.where(seen, data[trial], 0), seen]).astype(np.float64)
                    total = both if total is None else total + both
        if total is not None:
            spikes, weights = gaussian(total.shape[1], kernel_bins) @ total
            with np.errstate(invalid="ignore"):  # 0 / 0: nothing was seen
                found[condition] = spikes / weights
    return found


def read_psths(file: OutputFile, conditions: Conditions, splits: Mapping[str, Trials]) -> Psths:
    """Return the PSTHs that the file holds itself, `psth` `(conditions, steps, neurons)`.

    A condition's number is the place of its PSTH. Raises `InputError`.
    """
    found = file.three_axes(KEY, ("conditions", "steps", "channels"))
    count, steps, channels = found.shape
    for split, trials in splits.items():
        sizes = trials.rates.shape
        if channels != sizes[2] or steps not in (trials.observed, sizes[1]):
            raise InputError(
                f"{file.path}: '{KEY}' has sizes {found.shape}; expected {trials.observed} or "
                f"{sizes[1]} steps and {sizes[2]} channels, as '{split}_output_params' has"
            )
    wrong = [one for one in conditions.all if isinstance(one, str) or one not in range(count)]
    if wrong:
        raise InputError(
            f"{file.path}: '{conditions.key}' holds {wrong[0]!r}; expected whole numbers from 0 to "
            f"{count - 1}, the places of the conditions in '{KEY}'"
        )
    values = file.with_gaps(found)
    return {one: values[int(one)] for one in conditions.all}


def psth_r2(psths: Psths, members: Members, trials: Trials) -> float:
    """Return the R² of condition means of rates, averaged over neurons whose PSTHs vary.

    Only steps that the model saw are scored. NaN where nothing varies.
    """
    pairs = [
        (psths[one], _mean(trials.rates, members[one])) for one in sorted(psths) if one in members
    ]
    if not pairs:
        return math.nan
    steps = min(trials.observed, len(pairs[0][0]))
    true = np.concatenate([psth[:steps] for psth, _ in pairs])
    found = np.concatenate([mean[:steps] for _, mean in pairs])
    return neurons_r2(true, found)


def neurons_r2(true: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Return the R² of `found` to `true`, both `(samples, neurons)`, averaged over neurons."""
    seen = ~np.isnan(true)
    count = np.maximum(seen.sum(axis=0), 1)
    known = np.where(seen, true, 0)
    mean = known.sum(axis=0) / count
    spread = (np.where(seen, true - mean, 0) ** 2).sum(axis=0)
    errors = (np.where(seen, true - found, 0) ** 2).sum(axis=0)
    varies = spread > _VARIES * (known**2).sum(axis=0)
    return float((1 - errors[varies] / spread[varies]).mean()) if varies.any() else math.nan


def _mean(rates: NDArray[np.float32], trials: NDArray[np.int64]) -> Floats:
    mean: Floats = rates[trials].mean(axis=0, dtype=np.float64)
    return mean
