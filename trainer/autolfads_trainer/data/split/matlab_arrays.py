"""Reading MATLAB's .mat of versions 4 to 7 (v7.3 is HDF5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatlabFunction, MatlabOpaque

from autolfads_trainer.data.split.kinds import kind_of


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the arrays of `path` by name (`struct/field`), and for the rest what it is instead.

    Vectors lose MATLAB's second axis.
    """
    arrays: dict[str, NDArray[Any]] = {}
    refused: dict[str, str] = {}

    def take(name: str, value: Any) -> None:
        if not isinstance(value, np.ndarray):
            refused[name] = "a MATLAB sparse matrix" if hasattr(value, "tocsr") else "no array"
        elif isinstance(value, (MatlabFunction, MatlabOpaque)):
            refused[name] = "a MATLAB object"
        elif value.dtype.names is not None and value.size == 1:
            for part in value.dtype.names:
                take(f"{name}/{part}", value.reshape(-1)[0][part])
        elif value.dtype.names is not None:
            refused[name] = "a MATLAB struct array"
        elif value.dtype.kind == "O":
            refused[name] = "a MATLAB cell array"
        elif (kind := kind_of(value.dtype)) is not None:
            refused[name] = kind
        else:
            arrays[name] = without_singletons(value)

    for name, value in scipy.io.loadmat(path).items():
        if not name.startswith("__"):
            take(name, value)
    return arrays, refused


def without_singletons(array: NDArray[Any]) -> NDArray[Any]:
    """Return MATLAB's n × 1 and 1 × n as `(n,)` and its 1 × 1 as a number, the rest as it is."""
    if array.ndim != 2 or 1 not in array.shape or array.size == 0:
        return array
    return array.reshape(()) if array.size == 1 else array.reshape(-1)
