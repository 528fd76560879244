"""Small recordings as users write them, and the same with one thing changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from autolfads_trainer.results.output_file import Outputs

TRIALS = {"train": 6, "valid": 4}
STEPS, FORECAST = 7, 2
CHANNELS, HELD_OUT = 3, 2

Contents = dict[str, Any]
GONE = object()


def contents(**changes: Any) -> Contents:
    """Return the datasets of a good file; `changes` replace, add or (`GONE`) leave out."""
    random = np.random.default_rng(4)
    made: Contents = {}
    for split, trials in TRIALS.items():
        recon = random.poisson(1.5, (trials, STEPS + FORECAST, CHANNELS + HELD_OUT))
        made[f"{split}_recon_data"] = recon.astype(np.float32)
        made[f"{split}_encod_data"] = made[f"{split}_recon_data"][:, :STEPS, :CHANNELS]
    made |= changes
    return {name: value for name, value in made.items() if value is not GONE}


def in_one_part(outputs: dict[str, dict[str, Any]]) -> dict[str, Outputs]:
    """Return arrays by split and name as `write_output_file` takes them."""
    found = {}
    for split, arrays in outputs.items():
        trials = len(next(iter(arrays.values())))
        found[split] = Outputs(trials, [(slice(0, trials), arrays)])
    return found


def with_value(name: str, at: tuple[int, int, int], value: float) -> Contents:
    """Return the datasets of a good file with one number changed."""
    made = contents()
    made[name] = made[name].copy()
    made[name][at] = value
    return made


def write_file(path: Path, made: Contents) -> Path:
    """Write datasets (a `dict`: a group) to an HDF5 file and return its path."""
    with h5py.File(path, "w", locking=False) as file:
        for name, value in made.items():
            if isinstance(value, dict):
                file.create_group(name)
            else:
                file[name] = value
    return path
