"""`lfads_output_<session>.h5`: a copy of the input file with what the model inferred beside it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.reshuffle import TrialOrder
from autolfads_trainer.results.sampling import Arrays


def write_output_file(
    source: Path,
    target: Path,
    outputs: Mapping[str, Arrays],
    order: TrialOrder | None = None,
) -> None:
    """Copy `source` to `target` and add `<split>_<output>` for every split of `outputs`.

    All arrays have trials first. What the copy already holds under one of these names, such as
    the outputs of an earlier run, is replaced. Where trials were shuffled anew, into `order`, every
    array that there is of both training and validation is as the model got it.
    """
    shutil.copyfile(source, target)
    with h5py.File(target, "r+", locking=False) as file:
        if order is not None:
            _shuffle(file, order)
        for split, arrays in outputs.items():
            for name, values in arrays.items():
                _put(file, f"{split}_{name}", values)


def _shuffle(file: h5py.File, order: TrialOrder) -> None:
    trials = len(order.train) + len(order.valid)
    for key in [key.removeprefix("train_") for key in file if key.startswith("train_")]:
        names = f"train_{key}", f"valid_{key}"
        if not all(isinstance(file.get(name), h5py.Dataset) for name in names):
            continue
        train, valid = (file[name][()] for name in names)
        if np.ndim(train) and np.ndim(valid) and len(train) + len(valid) == trials:
            both = np.concatenate([train, valid])
            _put(file, names[0], both[order.train])
            _put(file, names[1], both[order.valid])


def _put(file: h5py.File, key: str, values: NDArray[Any]) -> None:
    if key in file:
        del file[key]
    file.create_dataset(key, data=values)
