"""Which condition each training trial of a file was of."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.hdf5 import Recording, opened
from autolfads_trainer.data.safety import (
    BROKEN,
    Declared,
    declared,
    described,
    refuse_what_does_not_fit,
)
from autolfads_trainer.userinput import InputError, nearest

USUAL = ("condition", "cond_idx")
MOST_LETTERS = 200  # of a word that names a condition
_ROWS = 256  # words read at a time: a small file can name one long word many times

Label = int | float | str


def usual_key(recording: Recording) -> str:
    """Return the usual name under which the file has conditions. Raises `InputError` for none."""
    for key in USUAL:
        if f"train_{key}" in recording.keys:
            return key
    usual = " and no ".join(f"'train_{key}'" for key in USUAL)
    raise InputError(
        f"{recording.path}: has no {usual}; expected one condition per training trial there, "
        "--by KEY for those in train_KEY, or --trials to compare averages of all trials"
    )


def labels(recording: Recording, key: str) -> list[Label]:
    """Return the condition of each training trial: a number or a word of `train_<key>`.

    Raises `InputError` for other sizes and types, and for NaN.
    """
    name, path = f"train_{key}", recording.path
    if name not in recording.keys:
        raise InputError(
            f"{path}: has no dataset '{name}'{nearest(name, recording.keys)}; expected one "
            "condition per training trial there"
        )
    trials = len(recording.train.encod)
    with opened(path) as file:
        shape, dtype = described(file, name, path)
        if shape not in ((trials,), (trials, 1)):
            raise InputError(
                f"{path}: '{name}' has sizes {shape}; expected ({trials},), "
                "one condition per training trial"
            )
        text = h5py.check_string_dtype(dtype)
        try:
            if text is None and dtype.kind != "S":
                values = _numbers(declared(file, name, path), recording)
            else:
                values = _words(Declared(name, file[name], shape), recording)
        except BROKEN as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path}: '{name}' cannot be read: {error}") from None
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        trial = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(
            f"{path}: '{name}' holds {values[trial]} at trial {trial}; expected a condition"
        )
    found: list[Label] = values.tolist()
    return found


def _numbers(found: Declared, recording: Recording) -> NDArray[Any]:
    refuse_what_does_not_fit([found], recording.path)
    return np.asarray(found.dataset[()]).reshape(-1)


def _words(found: Declared, recording: Recording) -> NDArray[Any]:
    refuse_what_does_not_fit([found], recording.path)
    words: list[str] = []
    for start in range(0, found.shape[0], _ROWS):
        rows = np.asarray(found.dataset.asstr()[start : start + _ROWS]).reshape(-1)
        words += rows.tolist()
        longest = max(len(word) for word in rows)
        if longest > MOST_LETTERS:
            raise InputError(
                f"{recording.path}: '{found.name}' holds a word of {longest} letters; "
                f"expected conditions of at most {MOST_LETTERS}"
            )
    return np.asarray(words, dtype=object)
