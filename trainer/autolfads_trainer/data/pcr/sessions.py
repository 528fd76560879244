"""The start values of several recordings: from files to the arrays that go into them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.expected import finite
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.data.pcr.alignment import (
    Floats,
    Start,
    align,
    dimensions,
    readout_weight,
    regressed,
)
from autolfads_trainer.data.pcr.averages import (
    ALL_TRIALS,
    Averages,
    averaged,
    refuse_other_steps,
    refuse_the_same,
    shared_conditions,
)
from autolfads_trainer.data.pcr.labels import Label, labels, usual_key
from autolfads_trainer.data.pcr.settings import Settings
from autolfads_trainer.data.pcr.smoothing import smoothed, width_in_bins
from autolfads_trainer.data.starts import READIN_WEIGHT, READOUT_BIAS, READOUT_WEIGHT
from autolfads_trainer.userinput import InputError

NAMES = (READIN_WEIGHT, READOUT_BIAS, READOUT_WEIGHT)
MOST_COMPONENTS_UNASKED = 20

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Session:
    """What goes into one file, and what it was made of.

    `arrays` are `readin_weight` (held-in channels, components), `readout_bias` (channels), and,
    only where there are held-out channels, `readout_weight` (channels, components).
    """

    averages: Averages
    smooth_bins: float  # std of the Gaussian
    start: Start
    arrays: Arrays

    @property
    def path(self) -> Path:
        """The session's file."""
        return self.averages.path


@dataclass(frozen=True, eq=False)
class Result:
    """Start values that belong together."""

    sessions: tuple[Session, ...]
    components: int
    key: str | None  # of the conditions; None: all trials were averaged
    conditions: int  # that all files have
    alignment: str  # the same in files that were aligned with each other, and in no others


def start_values(paths: Sequence[Path], settings: Settings) -> Result:
    """Compute the start values of recordings that go into one model.

    Raises `InputError` for whatever is wrong with the files, alone or together.
    """
    key = settings.by
    read: list[Averages] = []
    for path in paths:  # one at a time: only averages are kept
        recording = read_recording(path, finite, starts=False)
        conditions: list[Label] = [ALL_TRIALS] * len(recording.train.encod)
        if not settings.trials:
            key = key or usual_key(recording)
            conditions = labels(recording, key)
        read.append(averaged(recording, conditions))
    refuse_other_steps(read)
    refuse_the_same(read)
    shared = shared_conditions(read)
    widths = [width_in_bins(path, settings) for path in paths]
    rates = [smoothed(one.stacked(shared), width) for one, width in zip(read, widths, strict=True)]
    rows = [one.reshape(-1, one.shape[2]) for one in rates]
    heldin = [one[:, : of.heldin] for one, of in zip(rows, read, strict=True)]
    components = _components(read, heldin, settings.components)
    starts = align(heldin, components, settings.ridge)
    arrays = [
        _arrays(start, one[:, of.heldin :], settings.ridge)
        for start, one, of in zip(starts, rows, read, strict=True)
    ]
    sessions = tuple(map(Session, read, widths, starts, arrays))
    return Result(sessions, components, key, len(shared), _alignment(arrays))


def _components(sessions: Sequence[Averages], heldin: Sequence[Floats], asked: int | None) -> int:
    found = [dimensions(rows) for rows in heldin]
    least = min(found)
    wanted = min(least, MOST_COMPONENTS_UNASKED) if asked is None else asked
    if least < (wanted or 1):
        few = found.index(least)
        rows, channels = heldin[few].shape
        raise InputError(
            f"{sessions[few].path}: has {channels} held-in channels, whose averages over {rows} "
            f"bins vary in {least} dimensions; expected at least as many as --components, "
            f"{wanted or 1}"
        )
    return wanted


def _arrays(start: Start, heldout: Floats, ridge: float) -> Arrays:
    """Return what goes into a file; `heldout` are averages `(rows, held-out channels)`."""
    mean = heldout.mean(axis=0)
    found = {
        READIN_WEIGHT: start.weight,
        READOUT_BIAS: np.concatenate([start.mean, mean]),
    }
    if heldout.shape[1]:  # no read-in has them: where the session's trajectories lead
        led_to = regressed(start.trajectories, heldout - mean, ridge).T
        found[READOUT_WEIGHT] = np.concatenate([readout_weight(start.weight), led_to])
    return {name: np.ascontiguousarray(values, np.float32) for name, values in found.items()}


def _alignment(arrays: Sequence[Arrays]) -> str:
    sha256 = hashlib.sha256()
    for one in arrays:
        for values in one.values():
            sha256.update(values.tobytes())
    return sha256.hexdigest()[:16]
