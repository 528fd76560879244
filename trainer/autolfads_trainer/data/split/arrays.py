"""The arrays of a file of trials, whatever the program that wrote it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from autolfads_trainer.data.split import hdf5_arrays, matlab_arrays, npz_arrays
from autolfads_trainer.userinput import InputError, nearest

EXPECTED = "expected HDF5, .npz or a MATLAB .mat file"


@dataclass(frozen=True)
class TrialFile:
    """What a file holds: arrays of numbers, truth values or words, by name."""

    path: Path
    arrays: dict[str, NDArray[Any]]
    refused: dict[str, str] = field(default_factory=dict)  # name → what it is instead of an array

    def name_of(self, name: str, option: str) -> str:
        """Return the name, here, of the array that the user named with `option`.

        MATLAB's way of naming a field, `trials.spikes`, finds `trials/spikes`.
        Raises `InputError` where there is no such array.
        """
        for known in (name, name.replace(".", "/")):
            if known in self.arrays:
                return known
            if known in self.refused:
                raise InputError(
                    f"{self.path}: {option} {known}: found {self.refused[known]}; "
                    "expected an array of numbers"
                )
        present = ", ".join(sorted(self.arrays)) or "no arrays at all"
        raise InputError(
            f"{self.path}: {option} {name}: there is no such array{nearest(name, self.arrays)}; "
            f"the file holds {present}"
        )


def read(path: Path) -> TrialFile:
    """Read all arrays of an HDF5, .npz or .mat file; its first bytes say which it is.

    Nothing is unpickled. Raises `InputError` where there is no such file or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(128)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; {EXPECTED}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; {EXPECTED}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    reader = _reader(path, head)
    if reader is None:
        raise InputError(f"{path}: is no kind of file that is known here; {EXPECTED}")
    try:
        arrays, refused = reader(path)
    except MemoryError:
        raise InputError(f"{path}: does not fit into this machine's memory") from None
    # Each of the libraries has its own dozen of exceptions for bytes that make no sense.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read: {reason}; {EXPECTED}") from error
    return TrialFile(path, arrays, refused)


Reader = Callable[[Path], tuple[dict[str, NDArray[Any]], dict[str, str]]]


def _reader(path: Path, head: bytes) -> Reader | None:
    if h5py.is_hdf5(path):  # MATLAB's v7.3 too, behind its own 512 bytes
        matlab = head.startswith(b"MATLAB")
        return lambda name: hdf5_arrays.read(name, reversed_axes=matlab)
    if head.startswith(b"PK"):
        return npz_arrays.read
    if head.startswith(b"MATLAB") or path.suffix.lower() == ".mat":  # v4 has no such head
        return matlab_arrays.read
    return None
