"""Reading NumPy's .npz, without unpickling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.split.kinds import kind_of


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays of `path` by name, and for the rest what it is instead."""
    arrays: dict[str, NDArray[Any]] = {}
    refused: dict[str, str] = {}
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            try:
                value = archive[name]
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise
                refused[name] = "an object array (pickled Python, which is not opened)"
                continue
            if not isinstance(value, np.ndarray):  # a zip holds files of any kind
                refused[name] = "a file that is no array"
            elif (kind := kind_of(value.dtype)) is not None:
                refused[name] = kind
            else:
                arrays[name] = np.char.decode(value) if value.dtype.kind == "S" else value
    return arrays, refused
