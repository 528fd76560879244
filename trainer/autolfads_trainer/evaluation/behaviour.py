"""Which array is the behaviour, and which of its steps decoders may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.evaluation.reading import OutputFile, has_no
from autolfads_trainer.evaluation.trials import Trials
from autolfads_trainer.userinput import InputError

# Taken without being asked for; the first that is there counts.
KNOWN = (
    "behavior",
    "behaviour",
    "velocity",
    "vel",
    *(f"{part}_{of}" for of in ("velocity", "vel") for part in ("hand", "finger", "cursor")),
    "kinematics",
    "position",
    "pos",
    *(f"{part}_{of}" for of in ("position", "pos") for part in ("hand", "finger", "cursor")),
)
MOST_GROUPS = 8  # of trials with a decoder of their own
_AXES = ("trials", "steps", "dimensions")


@dataclass(frozen=True)
class Behaviour:
    """One split's behaviour. `usable` says by group of trials which steps a decoder may use."""

    values: NDArray[np.float64]  # (trials, steps, dimensions)
    usable: NDArray[np.bool_]  # (groups, trials, steps)


def behaviour_key(file: OutputFile, asked: str | None, splits: Iterable[str]) -> str | None:
    """Return the behaviour's name without its split, or None. Raises `InputError` if asked for."""
    others = [split for split in splits if split != "train"]
    if asked is not None:
        for split in ("train", *(others[:1] or ["valid"])):
            if f"{split}_{asked}" not in file:
                raise has_no(f"{split}_{asked}", file.names, file.path)
        return asked
    there = (name for name in KNOWN if f"train_{name}" in file)
    return next((name for name in there if any(f"{one}_{name}" in file for one in others)), None)


def read_behaviour(
    file: OutputFile, key: str, splits: Mapping[str, Trials]
) -> dict[str, Behaviour]:
    """Return the behaviour of every split that has it. Raises `InputError`.

    Steps are those of the rates, or only those that the model saw. Missing steps are NaN, in any
    dimension. `{split}_decode_mask` is `(trials,)` or `(trials, steps)`, or `(trials, groups)` as
    in files of the Neural Latents Benchmark: each column is a group with a decoder of its own.
    """
    found = {
        split: _read(file, split, key, trials)
        for split, trials in splits.items()
        if f"{split}_{key}" in file
    }
    sizes = {one.values.shape[1:] for one in found.values()}
    if len(sizes) > 1:
        told = ", ".join(f"{split} {one.values.shape}" for split, one in found.items())
        raise InputError(
            f"{file.path}: '{key}' has different sizes by split: {told}; "
            "expected the same steps and dimensions"
        )
    groups = {split: len(one.usable) for split, one in found.items()}
    if len(set(groups.values())) > 1:
        told = ", ".join(f"{split} {count}" for split, count in groups.items())
        raise InputError(
            f"{file.path}: 'decode_mask' has different groups of trials by split: {told}; "
            "expected as many in each"
        )
    return found


def _read(file: OutputFile, split: str, key: str, trials: Trials) -> Behaviour:
    name = f"{split}_{key}"
    found = file.three_axes(name, _AXES)
    count, steps, _ = trials.rates.shape
    if found.shape[0] != count or found.shape[1] not in (steps, trials.observed):
        either = f"{steps}" if steps == trials.observed else f"{steps} or {trials.observed}"
        raise InputError(
            f"{file.path}: '{name}' has sizes {found.shape}; expected {count} trials and "
            f"{either} steps, as the rates have"
        )
    values = file.with_gaps(found)
    usable = ~np.isnan(values).any(axis=2)
    return Behaviour(values, _groups(file, split, usable.shape) & usable)


def _groups(file: OutputFile, split: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the decode mask as `(groups, trials, steps)`; one group of all where there is none."""
    name = f"{split}_decode_mask"
    trials, steps = shape
    if name not in file:
        if any(f"{other}_decode_mask" in file for other in ("train", "valid")):
            raise has_no(name, file.names, file.path)
        return np.ones((1, trials, steps), dtype=bool)
    found = file.numbers(name)
    sizes = found.shape
    by_step = sizes == (trials, steps)
    by_group = len(sizes) == 2 and sizes[0] == trials and 1 <= sizes[1] <= MOST_GROUPS
    if not (by_step or by_group or sizes == (trials,)):
        raise InputError(
            f"{file.path}: '{name}' has sizes {sizes}; expected ({trials},), ({trials}, {steps}), "
            f"or ({trials}, groups) of at most {MOST_GROUPS} groups"
        )
    file.refuse_unless_it_fits([found])
    mask: NDArray[Any] = file.read(found, np.float64)
    if not np.isin(mask, (0, 1)).all():
        raise InputError(f"{file.path}: '{name}' holds other numbers; expected 0 and 1")
    chosen: NDArray[np.bool_] = mask == 1
    if by_step:
        return chosen[None]
    columns = chosen.reshape(trials, -1).T
    return np.repeat(columns[:, :, None], steps, axis=2)
