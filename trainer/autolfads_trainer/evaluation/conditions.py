"""Which trials belong to which condition: from labels by trial, or lists of trials by condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.evaluation.reading import OutputFile, has_no
from autolfads_trainer.evaluation.trials import Trials
from autolfads_trainer.userinput import InputError

KNOWN = ("condition", "cond_idx")

Members = dict[Any, NDArray[np.int64]]
"""Condition → the places of its trials within their split."""


@dataclass(frozen=True)
class Conditions:
    """The trials of each condition, by split. Where a condition has none, it is not there."""

    key: str
    members: Mapping[str, Members]

    @property
    def all(self) -> list[Any]:
        """Every condition that has a trial, sorted."""
        return sorted({one for members in self.members.values() for one in members})


def condition_key(file: OutputFile, asked: str | None, splits: Iterable[str]) -> str | None:
    """Return the name of the conditions without their split, or None. Raises if asked for."""
    splits = tuple(splits)
    if asked is not None:
        if not any(f"{split}_{asked}" in file for split in splits):
            raise has_no(f"{splits[-1]}_{asked}", file.names, file.path)
        return asked
    return next(
        (name for name in KNOWN if any(f"{split}_{name}" in file for split in splits)), None
    )


def read_conditions(file: OutputFile, key: str, splits: Mapping[str, Trials]) -> Conditions:
    """Return the trials of each condition. Raises `InputError`.

    `{split}_<key>` holds one number or word for each trial; trials with NaN have no condition. Or,
    as in files of the Neural Latents Benchmark, a list of trials (from 0) for each condition.
    """
    members: dict[str, Members] = {}
    for split, trials in splits.items():
        name, count = f"{split}_{key}", len(trials.rates)
        if name in file:
            lists = file.is_of_lists(name)
            members[split] = (_of_lists if lists else _of_labels)(file, name, count)
    kinds = {type(label) for one in members.values() for label in one}
    if len(kinds) > 1:
        raise InputError(
            f"{file.path}: '{key}' holds words in one split and numbers in another; expected alike"
        )
    return Conditions(key, members)


def _of_labels(file: OutputFile, name: str, trials: int) -> Members:
    labels = file.labels(name, trials)
    if labels.dtype.kind != "U":
        labels = labels.astype(np.float64)
    values, places = np.unique(labels, return_inverse=True)
    order = np.argsort(places, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(places, minlength=len(values)))[:-1])
    # `value == value` is false for NaN.
    return {value.item(): part for value, part in zip(values, parts, strict=True) if value == value}  # noqa: PLR0124


def _of_lists(file: OutputFile, name: str, trials: int) -> Members:
    members: Members = {}
    for number, row in enumerate(file.lists(name, trials)):
        if ((row < 0) | (row >= trials)).any():
            raise InputError(
                f"{file.path}: '{name}' names trial {row[(row < 0) | (row >= trials)][0]} in row "
                f"{number}; expected trials from 0 to {trials - 1}"
            )
        if len(row):
            members[float(number)] = row
    return members
