"""`lfads_output_<session>.h5`: a copy of the input file with what the model inferred beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import h5py
from numpy.typing import NDArray

from autolfads_trainer.data.reshuffle import TrialOrder
from autolfads_trainer.results.reordering import reorder
from autolfads_trainer.results.sampling import Arrays


class Outputs(NamedTuple):
    """What was inferred of so many trials, some at a time: which, and their arrays."""

    trials: int
    parts: Iterable[tuple[slice, Arrays]]  # in the trials' order


def write_output_file(
    source: Path,
    target: Path,
    outputs: Mapping[str, Outputs],
    order: TrialOrder | None = None,
) -> list[str]:
    """Copy `source` to `target` and add `<split>_<output>` for every split of `outputs`.

    All arrays have trials first, and no more of them than one part are in memory. What the copy
    already holds under one of these names, such as the outputs of an earlier run, is replaced.
    Where trials were shuffled anew, into `order`, all that the file has of trials is as the model
    got them; returns the names of what was left out, since it is of one split alone.
    """
    shutil.copyfile(source, target)
    with h5py.File(target, "r+", locking=False) as file:
        left_out = [] if order is None else reorder(file, order)
        for split, (trials, parts) in outputs.items():
            for part, arrays in parts:
                for name, values in arrays.items():
                    _put_part(file, f"{split}_{name}", trials, part, values)
    return left_out


def _put_part(file: h5py.File, key: str, trials: int, part: slice, values: NDArray[Any]) -> None:
    if part.start == 0:
        if key in file:
            del file[key]
        file.create_dataset(key, (trials, *values.shape[1:]), values.dtype)
    file[key][part] = values
