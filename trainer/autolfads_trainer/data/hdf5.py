"""Reading a user's HDF5 file: every mistake is found here, before anything trains.

Datasets are `(trials, time, channels)`. Required: `{train,valid}_{encod,recon}_data`, spike counts
per bin (or what another reconstruction takes: see `expected`), NaN where they are missing; `encod`
holds the held-in channels, which are the first ones of `recon`. Optional: `{split}_ext_input`;
`{split}_truth` with `conversion_factor` (truth / factor = true rates in spikes per bin);
`test_encod_data`, with or without `test_recon_data`; `readin_weight` and `readout_bias`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import h5py
import numpy as np

from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.data.expected import Check, Floats, finite, finite_or_missing, refuse
from autolfads_trainer.data.reshuffle import Indices, TrialOrder
from autolfads_trainer.data.safety import (
    BROKEN,
    Declared,
    declared,
    described,
    numbers_of,
    refuse_what_does_not_fit,
)
from autolfads_trainer.data.starts import StartArrays, read_start
from autolfads_trainer.disk_errors import may_pass
from autolfads_trainer.userinput import InputError, is_special, nearest

SPLITS = ("train", "valid")
TEST = "test"
REQUIRED = tuple(f"{split}_{part}_data" for split in SPLITS for part in ("encod", "recon"))
EXT_INPUT = tuple(f"{split}_ext_input" for split in SPLITS)
OPTIONAL = (
    *EXT_INPUT,
    *(f"{split}_truth" for split in SPLITS),
    *(f"{TEST}_{part}" for part in ("encod_data", "recon_data", "ext_input", "truth")),
)

MOST_NAMES = 10_000  # datasets in a file; all are kept, and named in errors
_NAMES_TOLD = 20


@dataclass(frozen=True)
class SplitArrays:
    """One split. `ext_input` has zero channels where there is none; `truth` is in rates per bin.

    Of test trials `recon` may be unknown: then it has no steps and no channels.
    """

    encod: Floats  # (trials, T, D)
    recon: Floats  # (trials, R, N)
    ext_input: Floats  # (trials, T to R, X)
    truth: Floats | None  # (trials, R, N)

    def take(self, trials: Indices) -> SplitArrays:
        """Return the given trials."""
        truth = None if self.truth is None else self.truth[trials]
        return SplitArrays(self.encod[trials], self.recon[trials], self.ext_input[trials], truth)


@dataclass(frozen=True)
class Recording:
    """One checked file: its splits, the names of all its datasets, and what to tell users."""

    path: Path
    train: SplitArrays
    valid: SplitArrays
    keys: frozenset[str]
    notes: tuple[str, ...]
    test: SplitArrays | None = None
    pcr: StartArrays | None = None
    order: TrialOrder | None = None  # where the trials were shuffled anew

    def refuse_unless(self, expected: Check, *, encod: bool = True) -> None:
        """Raise `InputError` for numbers that are not as `expected`; without `encod` not of those.

        What the model sees costs nothing: it may be of another kind.
        """
        for split, arrays in zip(SPLITS, (self.train, self.valid), strict=True):
            if encod:
                expected(arrays.encod, f"{split}_encod_data", self.path)
            expected(arrays.recon, f"{split}_recon_data", self.path)

    def reshuffled(self, seed: int, ratio: float | None) -> Recording:
        """Return it with trials of training and validation mixed, and split anew: `reshuffle`."""
        trials = len(self.train.encod), len(self.valid.encod)
        order = TrialOrder.drawn(*trials, seed, ratio)
        train, valid = self.train, self.valid
        truths = [one for one in (train.truth, valid.truth) if one is not None]
        whole = SplitArrays(
            np.concatenate([train.encod, valid.encod]),
            np.concatenate([train.recon, valid.recon]),
            np.concatenate([train.ext_input, valid.ext_input]),
            np.concatenate(truths) if len(truths) == 2 else None,
        )
        return replace(
            self, train=whole.take(order.train), valid=whole.take(order.valid), order=order
        )

    @property
    def missing(self) -> str:
        """The first place where data are missing, in words; empty where none are."""
        for split, arrays in zip(SPLITS, (self.train, self.valid), strict=True):
            for part in ("recon", "encod"):
                gone = np.isnan(getattr(arrays, part))
                if gone.any():
                    trial, step, channel = (int(index[0]) for index in np.nonzero(gone))
                    return (
                        f"'{split}_{part}_data' holds NaN at trial {trial}, time step {step}, "
                        f"channel {channel} ({int(gone.sum())} such values)"
                    )
        return ""

    @property
    def sizes(self) -> DataSizes:
        """The sizes that a configuration must agree with."""
        trials, encod_steps, encod_dim = self.train.encod.shape
        return DataSizes(
            path=str(self.path),
            encod_dim=encod_dim,
            encod_steps=encod_steps,
            recon_dim=self.train.recon.shape[2],
            recon_steps=self.train.recon.shape[1],
            ext_input_dim=self.train.ext_input.shape[2],
            train_trials=trials,
            valid_trials=self.valid.encod.shape[0],
            keys=self.keys,
            test_trials=0 if self.test is None else len(self.test.encod),
            pcr_alignment="" if self.pcr is None else self.pcr.alignment,
            pcr_dim=0 if self.pcr is None else self.pcr.readin_weight.shape[1],
            missing=self.missing,
        )


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, without locks: shared volumes often have none."""
    if is_special(path):
        raise InputError(f"{path}: is no regular file; expected one HDF5 file")
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{path}: no such data file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; expected one HDF5 file") from None
    except OSError as error:
        if may_pass(error):
            raise
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # a name with a null byte in it
        raise InputError(f"{path}: cannot be read: {error}") from None
    try:
        file = h5py.File(path, "r", locking=False)
    except BROKEN as error:
        if not h5py.is_hdf5(path):
            raise InputError(
                f"{path}: is not an HDF5 file; 'autolfads split' makes one of .npz, .mat and others"
            ) from None
        raise InputError(f"{path}: is a broken HDF5 file: {error}") from None
    try:
        yield file
    finally:
        with suppress(*BROKEN):  # what was read is read; a broken file may not even close
            file.close()


def fingerprint(path: Path) -> str:
    """Return the sha256 of the file, by which a run notices that its data was changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_recording(
    path: Path, expected: Check = finite_or_missing, *, starts: bool = True
) -> Recording:
    """Read and check one file, whose numbers must be as `expected`; without `starts` not those.

    Raises `InputError` naming file, dataset and trial. What a reconstruction takes is known later,
    with the configuration: `Recording.refuse_unless`.
    """
    with opened(path) as file:
        keys = _names(file, path)
        for name in REQUIRED:
            if name not in keys:
                raise InputError(
                    f"{path}: has no dataset '{name}'{nearest(name, keys)}; found {_told(keys)}"
                )
        there = [name for name in (*REQUIRED, *OPTIONAL) if name in keys]
        datasets = {name: _dataset(file, name, path) for name in there}
        refuse_what_does_not_fit(datasets.values(), path)
        arrays = {name: _trials(datasets[name], path) for name in REQUIRED}
        for name, values in arrays.items():
            expected(values, name, path)
        _check_shapes(arrays, path)
        factor = _conversion_factor(file, keys, path)
        train, valid = (_split(datasets, split, arrays, factor, path) for split in SPLITS)
        test = _test(datasets, train, expected, factor, path)
        channels = train.encod.shape[2], train.recon.shape[2]
        pcr = read_start(file, keys, *channels, path) if starts else None
    for name, other in (EXT_INPUT, EXT_INPUT[::-1]):
        if name in keys and other not in keys:
            raise InputError(f"{path}: has '{name}' but no '{other}'; expected both or neither")
    if train.ext_input.shape[1:] != valid.ext_input.shape[1:]:
        raise InputError(
            f"{path}: train_ext_input has {_shape(train.ext_input)}; "
            f"valid_ext_input has {_shape(valid.ext_input)}; expected the same steps and channels"
        )
    notes = _notes(train, valid, path)
    return Recording(path, train, valid, keys, notes, test, pcr)


def names_in(file: h5py.File, path: Path) -> list[bytes]:
    """Return the names of all that an open file holds. Raises `InputError` for too many."""
    found: list[bytes] = []

    def take(name: bytes) -> bool | None:  # True: enough
        found.append(name)
        return True if len(found) > MOST_NAMES else None

    try:
        file.id.links.iterate(take)
    except BROKEN as error:
        raise InputError(f"{path}: is a broken HDF5 file: {error}") from None
    if len(found) > MOST_NAMES:
        raise InputError(f"{path}: holds more than {MOST_NAMES} names; expected a few datasets")
    return found


def _names(file: h5py.File, path: Path) -> frozenset[str]:
    try:
        return frozenset(name.decode() for name in names_in(file, path))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: the name {error.object!r} is not UTF-8; expected a name that can be written"
        ) from None


def _told(keys: frozenset[str]) -> str:
    shown = ", ".join(sorted(keys)[:_NAMES_TOLD]) or "nothing"
    return shown if len(keys) <= _NAMES_TOLD else f"{shown} and {len(keys) - _NAMES_TOLD} more"


def _dataset(file: h5py.File, name: str, path: Path) -> Declared:
    found = declared(file, name, path)
    if len(found.shape) != 3:
        raise InputError(
            f"{path}: '{name}' has {len(found.shape)} axes, {found.shape}; "
            "expected 3: (trials, time, channels)"
        )
    for axis, size in zip(("trials", "time steps", "channels"), found.shape, strict=True):
        if size == 0 and not name.endswith("_ext_input"):
            raise InputError(f"{path}: '{name}' has 0 {axis}; expected at least 1")
    return found


def _trials(found: Declared, path: Path) -> Floats:
    """Read trials piece by piece. They lie in memory as steps take them, time first.

    So nobody after this has to copy them, and a worker holds its data once.
    """
    trials, steps, channels = found.shape
    try:
        values = np.empty((steps, trials, channels), np.float32).transpose(1, 0, 2)
        with np.errstate(over="ignore"):  # becomes infinite, and is refused with its place
            for piece in found.pieces():
                values[piece] = found.dataset[piece]
    except BROKEN as error:
        raise InputError(f"{path}: '{found.name}' cannot be read: {error}") from None
    return values


def _check_shapes(arrays: dict[str, Floats], path: Path) -> None:
    for part in ("encod", "recon"):
        train, valid = arrays[f"train_{part}_data"], arrays[f"valid_{part}_data"]
        if train.shape[1:] != valid.shape[1:]:
            raise InputError(
                f"{path}: train_{part}_data has {_shape(train)}; valid_{part}_data has "
                f"{_shape(valid)}; expected the same time steps and channels"
            )
    for split in SPLITS:
        encod, recon = arrays[f"{split}_encod_data"], arrays[f"{split}_recon_data"]
        if encod.shape[0] != recon.shape[0]:
            raise InputError(
                f"{path}: {split}_encod_data has {encod.shape[0]} trials; {split}_recon_data has "
                f"{recon.shape[0]}; expected as many"
            )
        for axis, unit in ((1, "time steps"), (2, "channels")):
            if encod.shape[axis] > recon.shape[axis]:
                raise InputError(
                    f"{path}: {split}_encod_data has {encod.shape[axis]} {unit}, more than the "
                    f"{recon.shape[axis]} of {split}_recon_data; expected at most as many: "
                    "encod is the part of recon that the model sees"
                )


def _split(
    datasets: dict[str, Declared],
    split: str,
    arrays: dict[str, Floats],
    factor: float,
    path: Path,
    recon_steps: int | None = None,
) -> SplitArrays:
    encod, recon = arrays[f"{split}_encod_data"], arrays[f"{split}_recon_data"]
    trials, encod_steps, _ = encod.shape
    most = recon.shape[1] if recon_steps is None else recon_steps
    ext_input = np.zeros((trials, encod_steps, 0), np.float32)
    name = f"{split}_ext_input"
    if name in datasets:
        ext_input = _trials(datasets[name], path)
        if ext_input.shape[0] != trials or not encod_steps <= ext_input.shape[1] <= most:
            raise InputError(
                f"{path}: '{name}' has {_shape(ext_input)}; expected {trials} trials and "
                f"{encod_steps} to {most} time steps"
            )
        finite(ext_input, name, path)
    truth = datasets.get(f"{split}_truth")
    return SplitArrays(
        encod, recon, ext_input, None if truth is None else _truth(truth, recon, factor, path)
    )


def _test(
    datasets: dict[str, Declared], like: SplitArrays, expected: Check, factor: float, path: Path
) -> SplitArrays | None:
    """Return the test trials; None where there are none."""
    name = f"{TEST}_encod_data"
    if name not in datasets:
        return None
    encod = _trials(datasets[name], path)
    expected(encod, name, path)
    if encod.shape[1:] != like.encod.shape[1:]:
        raise InputError(
            f"{path}: {name} has {_shape(encod)}; train_encod_data has {_shape(like.encod)}; "
            "expected the same time steps and channels"
        )
    shape = (len(encod), *like.recon.shape[1:])
    recon_name = f"{TEST}_recon_data"
    known = recon_name in datasets
    recon = np.zeros((len(encod), 0, 0), np.float32)
    if known:
        recon = _trials(datasets[recon_name], path)
        expected(recon, recon_name, path)
        if recon.shape != shape:
            raise InputError(
                f"{path}: {recon_name} has {_shape(recon)}; expected {_shape(np.empty(shape))}, "
                "as train_recon_data has, for each trial of test_encod_data"
            )
    elif f"{TEST}_truth" in datasets:
        datasets = {key: found for key, found in datasets.items() if key != f"{TEST}_truth"}
    found = _split(datasets, TEST, {name: encod, recon_name: recon}, factor, path, shape[1])
    if found.ext_input.shape[1:] != like.ext_input.shape[1:]:
        raise InputError(
            f"{path}: test_ext_input has {_shape(found.ext_input)}; train_ext_input has "
            f"{_shape(like.ext_input)}; expected the same steps and channels"
        )
    return found


def _truth(found: Declared, recon: Floats, factor: float, path: Path) -> Floats:
    name, truth = found.name, _trials(found, path)
    if truth.shape != recon.shape:
        raise InputError(
            f"{path}: '{name}' has {_shape(truth)}; expected {_shape(recon)}, "
            f"as {name.removesuffix('truth')}recon_data has"
        )
    refuse(~np.isfinite(truth), truth, name, path, "a finite rate")
    with np.errstate(over="ignore"):
        rates = np.asarray(truth / factor, dtype=np.float32)
    divided = "a finite rate once divided by conversion_factor"
    refuse(~np.isfinite(rates), truth, name, path, divided)
    return rates


def _conversion_factor(file: h5py.File, keys: frozenset[str], path: Path) -> float:
    """Return what the truth is divided by; NaN where there is none."""
    truth = next((name for name in OPTIONAL if name.endswith("_truth") and name in keys), None)
    if truth is None:
        return np.nan
    if "conversion_factor" not in keys:
        raise InputError(
            f"{path}: has '{truth}' but no 'conversion_factor'; expected the number that the truth "
            "is divided by to give spikes per bin"
        )
    shape, dtype = described(file, "conversion_factor", path)
    if shape is None or prod(shape) != 1 or dtype.kind not in "biuf":
        raise InputError(
            f"{path}: 'conversion_factor' is {dtype} of sizes {shape}; expected one number above 0"
        )
    found = declared(file, "conversion_factor", path)
    refuse_what_does_not_fit([found], path)
    number = float(numbers_of(found, path, np.float64).ravel()[0])
    with np.errstate(over="ignore"):
        usable = 0 < np.float32(number) < np.inf  # float32, as what it divides
    if not usable:
        raise InputError(f"{path}: 'conversion_factor' is {number!r}; expected one number above 0")
    return number


def _shape(array: Floats) -> str:
    return "({} trials, {} steps, {} channels)".format(*array.shape)


def _notes(train: SplitArrays, valid: SplitArrays, path: Path) -> tuple[str, ...]:
    notes = []
    for split, arrays in zip(SPLITS, (train, valid), strict=True):
        steps, channels = arrays.encod.shape[1:]
        seen = arrays.recon[:, :steps, :channels]
        if not np.array_equal(arrays.encod, seen, equal_nan=True):
            notes.append(
                f"{path.name}: {split}_encod_data is not the first {steps} steps and {channels} "
                f"channels of {split}_recon_data: bps and co_bps, which take it to be, may mislead"
            )
    silent = int((np.nansum(train.recon, axis=(0, 1)) == 0).sum())
    if silent:
        notes.append(f"{path.name}: {silent} channels have no spike in the training trials")
    return tuple(notes)
