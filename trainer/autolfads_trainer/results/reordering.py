"""A result's arrays of trials, brought into the order of trials that were split anew.

Labels and behaviour lie beside the spikes, and so do lists of each condition's trials: whoever
reads them beside rates in another order is misled without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.reshuffle import Indices, TrialOrder
from autolfads_trainer.data.safety import of_lists

SPLITS = ("train", "valid")


def reorder(file: h5py.File, order: TrialOrder) -> list[str]:
    """Reorder what an open file has of trials of training and validation.

    That is, in their first axis, and where rows are lists of trials, in these. What only one split
    has of its trials, or not of all of them, cannot be reordered and is removed; returns its names.
    """
    before = {split: len(file[f"{split}_encod_data"]) for split in SPLITS}
    keys = {
        name.partition("_")[2]
        for name in file
        if name.startswith(tuple(f"{split}_" for split in SPLITS))
        and isinstance(file[name], h5py.Dataset)
    }
    removed: list[str] = []
    for key in sorted(keys):
        found = {split: file[name] for split in SPLITS if (name := f"{split}_{key}") in file}
        changed = None
        if any(_is_of_lists(one) for one in found.values()):
            changed = _lists(found, before, order)
        else:
            of_trials = [bool(one.shape) and len(one) == before[s] for s, one in found.items()]
            if not any(of_trials):
                continue  # of something else
            changed = _arrays(found, order) if all(of_trials) else None
        if changed is None:
            removed += [one.name.lstrip("/") for one in found.values()]
        attributes = {split: dict(one.attrs) for split, one in found.items()}
        for split in found:
            del file[f"{split}_{key}"]
        for split, (values, dtype) in (changed or {}).items():
            made = file.create_dataset(f"{split}_{key}", data=values, dtype=dtype)
            made.attrs.update(attributes[split])
    return removed


Changed = dict[str, tuple[NDArray[Any], Any]]  # by split: values, and their type in the file


def _arrays(found: Mapping[str, h5py.Dataset], order: TrialOrder) -> Changed | None:
    if len(found) < len(SPLITS) or len({one.shape[1:] for one in found.values()}) > 1:
        return None
    both = np.concatenate([found[split][()] for split in SPLITS])
    dtype = found[SPLITS[0]].dtype
    return {"train": (both[order.train], dtype), "valid": (both[order.valid], dtype)}


def _lists(
    found: Mapping[str, h5py.Dataset], before: Mapping[str, int], order: TrialOrder
) -> Changed | None:
    """Return lists of the trials that lie in each split now, row by row; None: they do not fit."""
    whole: list[set[int]] = []
    if len(found) < len(SPLITS) or not all(_is_of_lists(one) for one in found.values()):
        return None
    if len(found["train"]) != len(found["valid"]):
        return None
    for rows in zip(found["train"][()], found["valid"][()], strict=True):
        named = dict(zip(SPLITS, rows, strict=True))
        if any(((row < 0) | (row >= before[split])).any() for split, row in named.items()):
            return None
        after = before["train"]
        whole.append({int(t) for t in named["train"]} | {after + int(t) for t in named["valid"]})
    changed: Changed = {}
    for split, trials in (("train", order.train), ("valid", order.valid)):
        dtype = found[split].dtype
        values = np.empty(len(whole), dtype=object)
        for number, chosen in enumerate(whole):
            values[number] = _places(trials, chosen).astype(h5py.check_vlen_dtype(dtype))
        changed[split] = values, dtype
    return changed


def _places(trials: Indices, chosen: set[int]) -> NDArray[np.intp]:
    """Return where in `trials` those lie that are chosen."""
    return np.flatnonzero(np.isin(trials, np.fromiter(chosen, np.int64, len(chosen))))


def _is_of_lists(dataset: h5py.Dataset) -> bool:
    return of_lists(dataset.dtype) and dataset.ndim == 1
