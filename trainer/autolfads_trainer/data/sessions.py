"""The recordings of one run: each its own file, and what they must have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.data.hdf5 import OPTIONAL, Recording
from autolfads_trainer.userinput import InputError

MOST_SESSIONS = 1000
_MAGIC = set("*?[")
# What all sessions must have alike.
_IN_COMMON: dict[str, Callable[[Recording], int]] = {
    "time steps of encod_data": lambda one: one.train.encod.shape[1],
    "time steps of recon_data": lambda one: one.train.recon.shape[1],
    "channels of ext_input": lambda one: one.train.ext_input.shape[2],
    "time steps of ext_input": lambda one: one.train.ext_input.shape[1],
}


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the sessions' names: those of their files, if they differ, else `sess<i>`.

    A single session is `sess0`.
    """
    names = [path.name.split(".")[0] for path in paths]
    differ = len({name.lower() for name in names}) == len(names) > 1 and all(names)
    return names if differ else [f"sess{number}" for number in range(len(paths))]


def uneven(recordings: Sequence[Recording]) -> list[str]:
    """Return a note for each optional dataset that some of the files have, and others lack."""
    notes = []
    for name in OPTIONAL:
        without = [one.path.name for one in recordings if name not in one.keys]
        if 0 < len(without) < len(recordings):
            shown = ", ".join(without[:5]) + (f" and {len(without) - 5} more" * (len(without) > 5))
            notes.append(
                f"'{name}' is not in {shown}, and is in others: only they are scored by it"
            )
    return notes


def sizes_of(recordings: Sequence[Recording]) -> DataSizes:
    """Return the sizes of all sessions. Raises `InputError` where they do not go together."""
    first = recordings[0]
    for other in recordings[1:]:
        for words, size in _IN_COMMON.items():
            if size(other) != size(first):
                raise InputError(
                    f"{other.path}: has {size(other)} {words}; expected {size(first)}, as "
                    f"{first.path} has: sessions are trained together"
                )
    return replace(first.sizes, others=tuple(other.sizes for other in recordings[1:]))
