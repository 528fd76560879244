"""Which types of element can be used, and what the others are called in an error."""

from __future__ import annotations

from typing import Any

import numpy as np

_USABLE = "buifUS"  # truth values, whole numbers, numbers, words
_NAMES = {"c": "complex numbers", "V": "records (a structured array)", "O": "an object array"}


def kind_of(dtype: np.dtype[Any]) -> str | None:
    """Return in words what elements of `dtype` are, or None where they can be used."""
    return None if dtype.kind in _USABLE else _NAMES.get(dtype.kind, f"elements of type {dtype}")
