"""Bits per spike, and R² to the truth: sums over trials, a few trials at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

LEAST_RATE = 1e-9  # a rate that underflows to 0 would make one stray spike infinitely wrong
_AT_ONCE = 1 << 20  # numbers; in float64 and with what is computed from them


def bits_per_spike(rates: Array, counts: Array) -> float:
    """Return (NLL_null − NLL_model) / spikes / ln 2; NaN where there are no spikes.

    `rates` (spikes per bin) and `counts` are `(trials, steps, channels)`; NaN in `counts` is
    missing and not scored. The null predicts each channel's mean count in what is scored
    (Pei et al. 2021). Terms of the counts alone cancel.
    """
    nll, spikes, bins = (np.zeros(counts.shape[2]) for _ in range(3))
    for some in few_trials(counts):
        seen = ~np.isnan(counts[some])
        count = np.where(seen, counts[some], 0).astype(np.float64)
        rate = np.maximum(rates[some].astype(np.float64), LEAST_RATE)
        nll += ((rate - count * np.log(rate)) * seen).sum(axis=(0, 1))
        spikes += count.sum(axis=(0, 1))
        bins += seen.sum(axis=(0, 1))
    total = float(spikes.sum())
    if not total:
        return math.nan
    firing = spikes > 0  # a silent channel costs its null nothing: 0 · log 0 = 0
    null = total - (spikes[firing] * np.log(spikes[firing] / bins[firing])).sum()
    return float((null - nll.sum()) / total / math.log(2))


def pooled_r2(rates: Array, truth: Array) -> float:
    """Return 1 − SSE / SST around each channel's mean; both are `(trials, steps, channels)`."""
    mean = truth.mean(axis=(0, 1), dtype=np.float64)
    errors = spread = 0.0
    for some in few_trials(truth):
        exact = truth[some].astype(np.float64)
        errors += float(((rates[some] - exact) ** 2).sum())
        spread += float(((exact - mean) ** 2).sum())
    return 1 - errors / spread if spread else math.nan


def are_counts(values: Array) -> bool:
    """Return whether all that is not missing is a whole number of 0 or more."""
    return all(
        bool((np.isnan(part) | ((part >= 0) & (part == np.round(part)))).all())
        for part in (values[some] for some in few_trials(values))
    )


def few_trials(values: Array) -> Iterator[slice]:
    """Go through all trials, in slices that are small enough to be worked on as float64."""
    trials, *sizes = values.shape
    step = max(1, _AT_ONCE // max(1, math.prod(sizes)))
    for start in range(0, trials, step):
        yield slice(start, min(start + step, trials))
