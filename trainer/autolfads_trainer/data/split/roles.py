"""What the arrays of a file are to the split: the spikes, and the channels that are held in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.split.arrays import TrialFile
from autolfads_trainer.data.split.counts import check_axes, check_counts, could_be_counts
from autolfads_trainer.userinput import InputError, shown

NEVER_SPIKES = ("truth", "ext_input")  # names with a meaning of their own in a train/valid file


def spikes_key(source: TrialFile, key: str | None) -> str:
    """Return the name of the array of spikes, checked: `key`, or the only one that can be meant.

    Raises `InputError` where there is none or more than one, and for what is no spike count.
    """
    name = _only_candidate(source) if key is None else source.name_of(key, "--key")
    check_axes(source.arrays[name], f"{source.path}: {name}")
    check_counts(source.arrays[name], f"{source.path}: {name}")
    return name


def _only_candidate(source: TrialFile) -> str:
    candidates = [
        name
        for name, array in source.arrays.items()
        if array.ndim == 3 and array.dtype.kind in "buif" and name not in NEVER_SPIKES
    ]
    if len(candidates) > 1:
        candidates = [n for n in candidates if could_be_counts(source.arrays[n])] or candidates
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(f"{name} {source.arrays[name].shape}" for name in candidates)
        raise InputError(
            f"{source.path}: found {len(candidates)} arrays that could be the spikes: {names}; "
            "expected one, or --key NAME to say which"
        )
    others = [f"{name} {array.shape}" for name, array in source.arrays.items()]
    others += [f"{name} ({what})" for name, what in source.refused.items()]
    raise InputError(
        f"{source.path}: found {', '.join(others) or 'no arrays'}; "
        "expected an array of spike counts with three axes: (trials, time, channels)"
    )


def heldin_first(
    source: TrialFile, channels: int, heldout: int, heldin_key: str | None
) -> tuple[NDArray[np.int64], int]:
    """Return the channels' new order, `(channels,)`, and how many of the first are held in.

    `heldout` holds the last channels out and leaves the order; `heldin_key` names an array
    `(channels,)`, true or 1 for the channels that are held in. Raises `InputError`.
    """
    if heldin_key is None:
        if not 0 <= heldout < channels:
            raise InputError(
                f"{source.path}: --heldout: found {heldout} of {channels} channels; expected "
                f"a number from 0 to {channels - 1}, so that a channel is left to encode"
            )
        return np.arange(channels), channels - heldout
    if heldout:
        raise InputError("--heldout and --heldin-key: found both; expected one of them")
    mask = source.arrays[source.name_of(heldin_key, "--heldin-key")]
    where = f"{source.path}: --heldin-key {heldin_key}"
    if mask.shape != (channels,):
        raise InputError(
            f"{where}: found sizes {mask.shape}; expected ({channels},), one for each channel"
        )
    if mask.dtype.kind not in "buif" or not np.isin(mask, (0, 1)).all():
        raise InputError(
            f"{where}: found {shown(mask.tolist())}; expected 1 for a channel that is held in, "
            "0 for one that is held out"
        )
    if not mask.any():
        raise InputError(f"{where}: found no channel that is held in; expected at least one")
    order = np.argsort(mask == 0, kind="stable")
    return order.astype(np.int64), int((mask == 1).sum())
