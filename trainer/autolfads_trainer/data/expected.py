"""What a recording's numbers must be: that depends on what the reconstruction is defined for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.config import classes
from autolfads_trainer.userinput import InputError

Floats = NDArray[np.float32]
Check = Callable[[Floats, str, Path], None]  # values (trials, time, channels), their name, the file

MOST_SPIKES = 2**24  # up to here float32 holds every whole number


def refuse(wrong: NDArray[np.bool_], values: Floats, name: str, path: Path, expected: str) -> None:
    """Raise `InputError` with the place of the first value that is `wrong`, if there is one."""
    if wrong.any():
        trial, step, channel = (int(index[0]) for index in np.nonzero(wrong))
        raise InputError(
            f"{path}: '{name}' holds {values[trial, step, channel]:g} at trial {trial}, "
            f"time step {step}, channel {channel} ({int(wrong.sum())} such values); "
            f"expected {expected}"
        )


def finite(values: Floats, name: str, path: Path) -> None:
    """Refuse what is infinite, or no number."""
    refuse(~np.isfinite(values), values, name, path, "a finite number")


def finite_or_missing(values: Floats, name: str, path: Path) -> None:
    """Refuse what is infinite, and nothing but NaN, which says that data are missing."""
    refuse(np.isinf(values), values, name, path, "a finite number")
    if np.isnan(values).all():
        raise InputError(f"{path}: '{name}' holds nothing but NaN; expected data")


# Each of those that follow lets NaN pass: what is missing is of no kind.
def counts(values: Floats, name: str, path: Path, of: str = "") -> None:
    """Refuse what is no spike count: the Poisson costs are defined for whole numbers from 0.

    `of`: the class that takes nothing else.
    """
    there = ~np.isnan(values)
    why = f", which is all that {of} takes" if of else ""
    wrong = (values < 0) | np.isinf(values)
    refuse(wrong, values, name, path, f"a count of 0 or more{why}")
    wrong = there & (values != np.round(values))
    refuse(wrong, values, name, path, f"a whole number of spikes{why}")
    refuse(values > MOST_SPIKES, values, name, path, f"at most {MOST_SPIKES} spikes in a bin")
    if not values[there].any():
        raise InputError(f"{path}: '{name}' holds no spike at all; expected spike counts{why}")


def above(least: float, *, or_zero: bool, of: str) -> Check:
    """Return what refuses numbers that are not above `least`, and not 0 where that may be."""
    expected = f"{'0 or ' if or_zero else ''}a number above {least:g}, which is all that {of} takes"

    def check(values: Floats, name: str, path: Path) -> None:
        finite_or_missing(values, name, path)
        wrong = values <= np.float32(least)
        refuse(wrong & (values != 0) if or_zero else wrong, values, name, path, expected)

    return check


def expected_by(reconstruction: Mapping[str, Any]) -> Check:
    """Return the check for an item of `model.reconstruction` in a resolved configuration.

    Of a user's own reconstruction nothing is known.
    """
    target: str = reconstruction["_target_"]
    name = target.rpartition(".")[2]
    if target in classes.OF_COUNTS:
        return partial(counts, of=name)
    if target == classes.GAMMA:
        return above(0, or_zero=False, of=name)
    if target == classes.ZERO_INFLATED_GAMMA:
        return above(reconstruction["gamma_loc"], or_zero=True, of=name)
    return finite_or_missing
