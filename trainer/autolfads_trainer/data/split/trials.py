"""From one array of trials, and what belongs to it, to the arrays of a train/valid file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.problems.writing import check_target, write
from autolfads_trainer.data.split import rules
from autolfads_trainer.data.split.arrays import TrialFile, read
from autolfads_trainer.data.split.conditions import conditions
from autolfads_trainer.data.split.roles import NEVER_SPIKES, heldin_first, spikes_key
from autolfads_trainer.userinput import InputError


@dataclass(frozen=True)
class Split:
    """The arrays of a train/valid file, and what to tell the user about them."""

    key: str  # the array of spikes
    arrays: dict[str, NDArray[Any]]
    per_trial: tuple[str, ...]  # arrays that were split along their first axis
    copied: tuple[str, ...]  # arrays that went along as they were
    left_out: dict[str, str]  # name → what it is, instead of an array


def split_file(
    source: Path,
    target: Path,
    rule: rules.Rule,
    *,
    key: str | None = None,
    heldout: int = 0,
    heldin_key: str | None = None,
    forward_steps: int = 0,
    force: bool = False,
) -> Split:
    """Read `source` (HDF5, .npz or .mat), `split` it, and write the HDF5 file `target`.

    Raises `InputError` for whatever is wrong with the files or the arguments.
    """
    check_target(target, force=force)
    trials = read(source)
    if target.exists() and target.samefile(source):
        raise InputError(f"{target}: is the file to be split; expected another name for the result")
    result = split(
        trials,
        rule,
        key=key,
        heldout=heldout,
        heldin_key=heldin_key,
        forward_steps=forward_steps,
    )
    attributes = {"source": source.name, "source_key": result.key, "split": str(rule)}
    write(target, result.arrays, attributes, force=force)
    return result


def split(
    source: TrialFile,
    rule: rules.Rule,
    *,
    key: str | None = None,
    heldout: int = 0,
    heldin_key: str | None = None,
    forward_steps: int = 0,
) -> Split:
    """Split the trials of `source` by `rule`.

    `key` names the spikes `(trials, time, channels)`; without it, the only such array. The last
    `heldout` channels (or those that are 0 in the array `heldin_key`, which then become the last)
    and the last `forward_steps` bins are left out of `encod_data`.

    The result has, for `train` and `valid`: `{split}_encod_data` and `{split}_recon_data`, float32
    spikes per bin; `{split}_inds` `(trials,)`, where a trial was in `source`; `{split}_<name>` for
    every other array with a row per trial. Arrays of other sizes are copied. With `heldin_key`,
    `channel_inds` `(channels,)` says where each channel was. Raises `InputError`.
    """
    _refuse_split_file(source)
    key = spikes_key(source, key)
    spikes = source.arrays[key]
    trials, bins, channels = spikes.shape
    order, encoded = heldin_first(source, channels, heldout, heldin_key)
    if not 0 <= forward_steps < bins:
        raise InputError(
            f"{source.path}: --forward-steps: found {forward_steps} of {bins} bins; expected "
            f"a number from 0 to {bins - 1}, so that a bin is left to encode"
        )
    validation = _validation(source, rule, trials)
    others = {name: array for name, array in source.arrays.items() if name != key}
    if "ext_input" in others and others["ext_input"].ndim == 2:
        # MATLAB drops a last axis of 1, so that one input is (trials, time) there.
        others["ext_input"] = others["ext_input"][..., None]
    _check_known(source.path, others, spikes.shape)
    of_channels = None if heldin_key is None else source.name_of(heldin_key, "--heldin-key")
    per_trial = tuple(
        name
        for name, array in others.items()
        if array.ndim > 0 and len(array) == trials and name != of_channels
    )
    copied = tuple(name for name in others if name not in per_trial)

    result = _Named(source.path)
    for part, chosen in (("train", ~validation), ("valid", validation)):
        # float32 is what the model computes with, and holds every count below 2^24 exactly.
        recon = spikes[chosen][..., order].astype(np.float32)
        result.add(f"{part}_encod_data", recon[:, : bins - forward_steps, :encoded], key)
        result.add(f"{part}_recon_data", recon, key)
        result.add(f"{part}_inds", np.flatnonzero(chosen), "the split")
        for name in per_trial:
            values = others[name][chosen]
            result.add(
                f"{part}_{_flat(name)}", values[..., order] if name == "truth" else values, name
            )
    if heldin_key is not None:
        result.add("channel_inds", order, "the split")
    for name in copied:
        result.add(_flat(name), others[name], name)
    return Split(key, result.arrays, per_trial, copied, dict(source.refused))


def _refuse_split_file(source: TrialFile) -> None:
    for name in ("train_encod_data", "train_recon_data"):
        if name in source.arrays:
            raise InputError(
                f"{source.path}: found {name}, so the file is split already and can be used as it "
                "is; expected one array of all trials"
            )


def _validation(source: TrialFile, rule: rules.Rule, trials: int) -> NDArray[np.bool_]:
    match rule:
        case rules.Every(n):
            chosen = rules.every_nth(trials, n)
        case rules.RandomFraction(fraction, seed):
            chosen = rules.random_fraction(trials, fraction, seed)
        case rules.ByCondition(key, fraction, seed):
            labels = conditions(source, key, trials)
            chosen = rules.within_conditions(labels, fraction, seed)
    for side, left in (("train on", ~chosen), ("validate with", chosen)):
        if not left.any():
            raise InputError(
                f"{source.path}: split {rule}: found no trial of {trials} left to {side}; "
                "expected at least one"
            )
    return chosen


def _check_known(path: Path, others: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> None:
    for name in NEVER_SPIKES:
        if name not in others:
            continue
        found = others[name].shape
        fits = found == shape if name == "truth" else len(found) == 3 and found[0] == shape[0]
        if not fits:
            wanted = shape if name == "truth" else f"({shape[0]}, time, inputs)"
            raise InputError(f"{path}: {name}: found sizes {found}; expected {wanted}")


class _Named:
    """Arrays under names that each come from one place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arrays: dict[str, NDArray[Any]] = {}
        self._origins: dict[str, str] = {}

    def add(self, name: str, array: NDArray[Any], origin: str) -> None:
        if name in self.arrays:
            raise InputError(
                f"{self.path}: {origin}: found that {name} would be written twice, also for "
                f"{self._origins[name]}; expected another name for the array"
            )
        self.arrays[name] = array
        self._origins[name] = origin


def _flat(name: str) -> str:
    return name.replace("/", "_")


def report(result: Split) -> Iterable[str]:
    """Yield, line by line, what was found and what became of it."""
    train, steps, encoded = result.arrays["train_encod_data"].shape
    valid, bins, channels = result.arrays["valid_recon_data"].shape
    yield f"{train} training and {valid} validation trials of '{result.key}'"
    yield f"{bins} bins, {channels} channels; encoded: {steps} bins, {encoded} channels"
    if result.per_trial:
        yield f"split alike: {', '.join(result.per_trial)}"
    if result.copied:
        yield f"copied as they are: {', '.join(result.copied)}"
    for name, what in result.left_out.items():
        yield f"left out: {name} ({what})"
    if "truth" in result.per_trial and "conversion_factor" not in result.copied:
        yield "no conversion_factor: r2 needs it beside truth (truth / conversion_factor per bin)"
