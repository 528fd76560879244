"""Reading HDF5, and MATLAB's .mat v7.3, which is HDF5 with every array's axes reversed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.split.kinds import kind_of
from autolfads_trainer.data.split.matlab_arrays import without_singletons

_INTERNAL = ("#refs#", "#subsystem#")  # where MATLAB keeps the contents of cells and objects
_MATLAB_NUMBERS = {"double", "single", "logical"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_MATLAB_WORDS = {"cell": "cell array", "struct": "struct array", "char": "text"}


def read(
    path: Path, *, reversed_axes: bool = False
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays of `path` by name (`group/name`), and for the rest what it is instead.

    MATLAB writes column by column and HDF5 row by row, so that `spikes` of trials × time ×
    channels lies in the file as channels × time × trials. Such arrays (`reversed_axes`, or an
    array that MATLAB marked as its own) are turned back, and vectors lose MATLAB's second axis.
    """
    arrays: dict[str, NDArray[Any]] = {}
    refused: dict[str, str] = {}

    def take(name: str, item: Any) -> None:
        if name.startswith(_INTERNAL):
            return
        if isinstance(item, h5py.Group) and "MATLAB_sparse" in item.attrs:
            refused[name] = "a MATLAB sparse matrix"
        if not isinstance(item, h5py.Dataset) or "MATLAB_sparse" in item.parent.attrs:
            return
        created = item.id.get_create_plist()
        if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
            refused[name] = "numbers kept in another file"
            return
        matlab = _matlab_class(item)
        what = _unusable(item, matlab)
        if what is not None:
            refused[name] = what
        elif "MATLAB_empty" in item.attrs:  # the dataset holds the sizes, in MATLAB's order
            arrays[name] = np.zeros(np.asarray(item[()]).reshape(-1).astype(int))
        elif reversed_axes or matlab:
            arrays[name] = without_singletons(_value(item).T)
        else:
            arrays[name] = _value(item)

    with h5py.File(path, "r", locking=False) as file:
        file.visititems(take)  # does not follow links out of the file
    return arrays, refused


def _matlab_class(item: Any) -> str:
    value = item.attrs.get("MATLAB_class", b"")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _unusable(dataset: Any, matlab: str) -> str | None:
    if matlab and matlab not in _MATLAB_NUMBERS:
        return f"a MATLAB {_MATLAB_WORDS.get(matlab, matlab)}"
    if dataset.shape is None:
        return "no data"
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return None
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        return "references (a cell or struct array)"
    if h5py.check_vlen_dtype(dataset.dtype) is not None:
        return "rows of different lengths"
    return kind_of(dataset.dtype)


def _value(dataset: Any) -> NDArray[Any]:
    if h5py.check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()], dtype=np.str_)
    return np.asarray(dataset[()])
