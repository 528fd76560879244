"""Reading `lfads_output_<session>.h5`: names first, then what is asked for, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.hdf5 import names_in, opened
from autolfads_trainer.data.safety import (
    BROKEN,
    Declared,
    declared,
    described,
    of_lists,
    refuse_what_does_not_fit,
)
from autolfads_trainer.userinput import InputError, nearest

AXES = ("trials", "steps", "channels")
_LONGEST_WORD = 1000  # letters of a condition's name
_MOST_WORDS = 1_000_000  # labels of trials, or lists of trials


@dataclass(frozen=True)
class OutputFile:
    """An open file of results, and the names of all that it holds."""

    path: Path
    file: Any  # h5py.File
    names: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def axes(self, name: str) -> tuple[int, ...]:
        """Return the sizes of a dataset; read nothing of it."""
        shape, _ = described(self.file, name, self.path)
        if shape is None:
            raise InputError(f"{self.path}: '{name}' holds nothing; expected numbers")
        return shape

    def numbers(self, name: str) -> Declared:
        """Return a dataset of numbers, described and not yet read."""
        return declared(self.file, name, self.path)

    def three_axes(self, name: str, axes: Sequence[str] = AXES) -> Declared:
        """Return the same, of three axes none of which is empty."""
        found = self.numbers(name)
        if len(found.shape) != 3 or not found.numbers:
            raise InputError(
                f"{self.path}: '{name}' has sizes {found.shape}; expected ({', '.join(axes)})"
            )
        return found

    def read(self, found: Declared, dtype: type[np.floating] = np.float32) -> NDArray[Any]:
        """Read all of a dataset of numbers."""
        return self._read(found.name, lambda: np.asarray(found.dataset[()], dtype=dtype))

    def with_gaps(self, found: Declared) -> NDArray[np.float64]:
        """Read all of a dataset in which NaN stands for what is missing, if it fits into memory."""
        self.refuse_unless_it_fits([found])
        values = self.read(found, np.float64)
        refuse_not_finite(values, found.name, self.path, missing=True)
        return values

    def is_of_lists(self, name: str) -> bool:
        """Return whether a dataset is of rows of different lengths: lists of whole numbers."""
        _, dtype = described(self.file, name, self.path)
        return of_lists(dtype)

    def lists(self, name: str, longest: int) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of such a dataset, one at a time, none longer than `longest`."""
        (count,) = self._one_axis(name)
        dataset = self.file[name]
        for number in range(count):

            def read(number: int = number) -> NDArray[Any]:
                return np.asarray(dataset[number], dtype=np.int64)

            row = self._read(name, read)
            if row.shape[0] > longest:
                raise InputError(
                    f"{self.path}: '{name}' lists {row.shape[0]} trials in row {number}; "
                    f"expected at most the {longest} that there are"
                )
            yield row

    def labels(self, name: str, trials: int) -> NDArray[Any]:
        """Return one label for each trial `(trials,)`, numbers or words."""
        (count,) = self._one_axis(name)
        if count != trials:
            raise InputError(
                f"{self.path}: '{name}' has {count} values; "
                f"expected one for each of {trials} trials"
            )
        _, dtype = described(self.file, name, self.path)
        if h5py.check_string_dtype(dtype) is not None:
            return self._words(name, count)
        found = self.numbers(name)
        refuse_what_does_not_fit([found], self.path)
        return self._read(name, lambda: np.asarray(found.dataset[()]).reshape(count))

    def _words(self, name: str, count: int) -> NDArray[np.str_]:
        """Read words one by one: many can be the same long one."""
        dataset = self.file[name].asstr(errors="backslashreplace")
        words = []
        for number in range(count):

            def read(number: int = number) -> NDArray[Any]:
                return np.asarray(dataset[number], dtype=np.str_).reshape(())

            word = str(self._read(name, read))
            if len(word) > _LONGEST_WORD:
                raise InputError(
                    f"{self.path}: '{name}' holds a word of {len(word)} letters; "
                    f"expected at most {_LONGEST_WORD}"
                )
            words.append(word)
        return np.array(words, dtype=np.str_)

    def refuse_unless_it_fits(self, datasets: Iterable[Declared]) -> None:
        """Raise `InputError` unless all of them fit into memory."""
        refuse_what_does_not_fit(datasets, self.path)

    def number(self, name: str, expected: str) -> float:
        """Return the one number above 0 that a dataset holds."""
        found = self.numbers(name)
        if prod(found.shape) != 1:
            raise InputError(f"{self.path}: '{name}' has sizes {found.shape}; expected {expected}")
        value = float(self.read(found, np.float64).ravel()[0])
        if not 0 < value < math.inf:
            raise InputError(f"{self.path}: '{name}' is {value:g}; expected {expected}")
        return value

    def bin_ms(self) -> float | None:
        """Return the width of a bin where the file says it: the attribute `bin_width_seconds`."""
        try:
            value = 1000 * float(self.file.attrs["bin_width_seconds"])
        except (KeyError, *BROKEN):  # text, a list, something broken: as if it did not say it
            return None
        return round(value, 9) if 0 < value < math.inf else None

    def _one_axis(self, name: str) -> tuple[int]:
        shape = self.axes(name)
        if len(shape) == 2 and shape[1] == 1:
            shape = shape[:1]
        if len(shape) != 1:
            raise InputError(f"{self.path}: '{name}' has sizes {shape}; expected (trials,)")
        if shape[0] > _MOST_WORDS:
            raise InputError(
                f"{self.path}: '{name}' holds {shape[0]} values; expected at most {_MOST_WORDS}"
            )
        return (shape[0],)

    def _read(self, name: str, read: Any) -> NDArray[Any]:
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # becomes infinite, and is refused
                return np.asarray(read())
        except BROKEN as error:
            raise InputError(f"{self.path}: '{name}' cannot be read: {error}") from None


@contextmanager
def opened_output(path: Path, shown: Path | None = None) -> Iterator[OutputFile]:
    """Open a file of results for reading. Raises `InputError`, which names the file as `shown`."""
    named = shown or path
    with ExitStack() as stack:
        try:
            file = stack.enter_context(opened(path))
        except InputError as error:
            raise InputError(str(error).replace(str(path), str(named), 1)) from None
        # Any name, as far as it can be shown: what somebody else's tool added is not read.
        names = (name.decode(errors="backslashreplace") for name in names_in(file, named))
        yield OutputFile(named, file, frozenset(names))


def refuse_not_finite(values: NDArray[Any], name: str, path: Path, *, missing: bool) -> None:
    """Raise `InputError` for infinite values, and for NaN unless it stands for what is `missing`.

    `values` has trials first.
    """
    for trial, some in enumerate(values):
        wrong = np.isinf(some) if missing else ~np.isfinite(some)
        if wrong.any():
            value = some[wrong].ravel()[0]
            expected = "finite numbers, or NaN for what is missing" if missing else "finite numbers"
            raise InputError(
                f"{path}: '{name}' holds {value:g} at trial {trial}; expected {expected}"
            )


def has_no(name: str, names: Iterable[str], path: Path) -> InputError:
    """Return the error of a dataset that is not there."""
    names = sorted(names)
    told = ", ".join(names[:20]) or "nothing"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return InputError(f"{path}: has no dataset '{name}'{nearest(name, names)}; found {told}{more}")
