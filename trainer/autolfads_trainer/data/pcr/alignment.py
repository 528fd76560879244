"""Principal components regression: from averages of several sessions to one low-dimensional space.

The sessions' averages are put side by side, along channels. The first principal components of all
channels together are the shared trajectories, and ridge regression of these on a session's own
channels is its read-in (Pandarinath et al. 2018, doi:10.1038/s41592-018-0109-9). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Start:
    """One session in the shared space."""

    weight: Floats  # (channels, components), from centred averages to the shared trajectories
    mean: Floats  # (channels,), what centres the averages
    trajectories: Floats  # (rows, components), the session's own, aligned
    explained: float  # share of the averages' variance that lies along the shared trajectories


def align(averages: Sequence[Floats], components: int, ridge: float) -> list[Start]:
    """Return, for each session, how its channels lead to the trajectories that all share.

    Each of `averages` is `(rows, channels)`: the rows, conditions × steps, are the same for all
    sessions, the channels are each session's own. `ridge` weighs the squared weights against the
    summed squared error, both in the averages' units; 0 gives the smallest of the best weights.

    The order of channels and of sessions changes nothing but the order of what is returned.
    Raises `ValueError` for averages of different rows, and for fewer dimensions than `components`.
    """
    rows = {len(one) for one in averages}
    if len(rows) != 1:
        raise ValueError(f"averages of {sorted(rows)} rows; expected the same rows in all")
    least = min(dimensions(one) for one in averages)
    if not 1 <= components <= least:
        raise ValueError(f"{components} components; expected 1 to {least}, as all averages have")
    means = [one.mean(axis=0) for one in averages]
    centred = [one - mean for one, mean in zip(averages, means, strict=True)]
    directions, sizes = _principal(np.concatenate(centred, axis=1), components)
    starts = []
    for one, mean in zip(centred, means, strict=True):
        weight = regressed(one, directions * sizes, ridge)
        explained = float(((directions.T @ one) ** 2).sum() / (one**2).sum())
        starts.append(Start(weight, mean, one @ weight, explained))
    return starts


def dimensions(averages: Floats) -> int:
    """Return how many dimensions averages `(rows, channels)` vary in: at most rows − 1."""
    return int(np.linalg.matrix_rank(averages - averages.mean(axis=0)))


def regressed(inputs: Floats, targets: Floats, ridge: float) -> Floats:
    """Return the weights W `(inputs, targets)` that minimise |X W − Y|² + ridge · |W|².

    X is `(rows, inputs)` and Y `(rows, targets)`, both centred. Without `ridge`, of the weights
    that do equally well the smallest: channels may be silent, or copies of each other.
    """
    left, sizes, right = np.linalg.svd(inputs, full_matrices=False)
    used = sizes > sizes.max(initial=0) * max(inputs.shape) * np.finfo(np.float64).eps
    gains = np.divide(sizes, sizes**2 + ridge, out=np.zeros_like(sizes), where=used)
    return np.asarray(right.T @ (gains[:, None] * (left.T @ targets)))


def readout_weight(weight: Floats) -> Floats:
    """Return the way back from the shared space, `(channels, components)`: pinv(weight)ᵀ.

    That is what a model makes of the read-in `weight` `(channels, components)` by itself.
    """
    return np.asarray(np.linalg.pinv(weight).T)


def correlation(one: Floats, other: Floats) -> float:
    """Return how alike two sessions' trajectories `(rows, components)` are, 1 for the same.

    All components count as one long series, so that the large ones count for most.
    """
    size = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / size) if size > 0 else 0.0


def _principal(centred: Floats, components: int) -> tuple[Floats, Floats]:
    """Return the first components' time courses of size 1, `(rows, components)`, and their sizes.

    Their signs, which are free, are such that the largest value is positive: the same for every
    order of channels.
    """
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    left = left[:, :components]
    largest = np.take_along_axis(left, np.abs(left).argmax(axis=0)[None], axis=0)
    return np.asarray(left * np.sign(largest)), np.asarray(sizes[:components])
