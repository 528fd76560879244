"""`lfads_output_<session>.h5`: a copy of the input file with what the model inferred beside it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import h5py

from autolfads_trainer.results.sampling import Arrays


def write_output_file(source: Path, target: Path, outputs: Mapping[str, Arrays]) -> None:
    """Copy `source` to `target` and add `<split>_<output>` for every split of `outputs`.

    All arrays have trials first. What the copy already holds under one of these names, such as
    the outputs of an earlier run, is replaced.
    """
    shutil.copyfile(source, target)
    with h5py.File(target, "r+", locking=False) as file:
        for split, arrays in outputs.items():
            for name, values in arrays.items():
                key = f"{split}_{name}"
                if key in file:
                    del file[key]
                file.create_dataset(key, data=values)
