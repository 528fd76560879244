"""Small files of results for the tests of their evaluation, and scores worked out another way."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.stats import poisson

TRIALS = {"train": 30, "valid": 12}
R, T, N, D = 14, 12, 6, 4
NAME = "lfads_output_sess0.h5"


def smooth_rates(trials: int, seed: int, steps: int = R, channels: int = N) -> np.ndarray:
    """Return rates that wave from step to step, each trial in its own way."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi, (trials, 1, channels))
    speed = random.uniform(0.3, 0.9, (trials, 1, channels))
    waves = 1 + 0.6 * np.sin(speed * np.arange(steps)[:, None] + phase)
    return waves.astype(np.float32)


def contents(splits: Mapping[str, int] = TRIALS) -> dict[str, Any]:
    """Return what a file of results holds: data, rates and nothing optional."""
    arrays: dict[str, Any] = {}
    for number, (split, trials) in enumerate(splits.items()):
        rates = smooth_rates(trials, number)
        counts = np.random.default_rng(100 + number).poisson(rates).astype(np.float32)
        arrays[f"{split}_encod_data"] = counts[:, :T, :D]
        arrays[f"{split}_recon_data"] = counts
        arrays[f"{split}_output_params"] = rates
    return arrays


def write(path: Path, arrays: Mapping[str, Any], **attributes: Any) -> Path:
    """Write a file with these datasets and attributes."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file.attrs.update(attributes)
    return path


def zipped(path: Path, *files: tuple[str, Path]) -> Path:
    """Write a zip of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files:
            archive.write(file, name)
    return path


def bits(rates: np.ndarray, counts: np.ndarray) -> float:
    """Return bits per spike by SciPy's Poisson distribution; NaN in `counts` is left out."""
    seen = ~np.isnan(counts)
    means = np.broadcast_to(np.nanmean(counts, axis=(0, 1)), counts.shape)
    rates, counts, means = (np.asarray(one, np.float64)[seen] for one in (rates, counts, means))
    gain = poisson.logpmf(counts, rates).sum() - poisson.logpmf(counts, means).sum()
    return float(gain / counts.sum() / math.log(2))


def moved(rates: np.ndarray, lag: int, weights: np.ndarray) -> np.ndarray:
    """Return behaviour that is linear in the rates `lag` steps before; NaN where there are none."""
    behaviour = np.full((*rates.shape[:2], weights.shape[1]), np.nan)
    steps = rates.shape[1]
    for step in range(steps):
        if 0 <= step - lag < steps:
            behaviour[:, step] = rates[:, step - lag] @ weights + 3.0
    return behaviour
