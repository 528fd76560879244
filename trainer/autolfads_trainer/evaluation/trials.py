"""What a file of results holds of each split, read and checked against itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.data.safety import Declared
from autolfads_trainer.evaluation.reading import OutputFile, has_no, refuse_not_finite
from autolfads_trainer.evaluation.values import SPLITS
from autolfads_trainer.userinput import InputError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Trials:
    """One split. R steps, N channels, of which the model saw the first `observed` and `heldin`."""

    rates: Floats  # (trials, R, N)  spikes per bin
    data: Floats | None  # (trials, R, N)  NaN: missing
    truth: Floats | None  # (trials, R, N)  true rates, per bin
    observed: int  # T
    heldin: int  # D


def read_trials(file: OutputFile) -> dict[str, Trials]:
    """Return every split that has rates. Raises `InputError` where none has, or sizes differ."""
    there = [split for split in SPLITS if f"{split}_output_params" in file]
    if not there:
        raise has_no("valid_output_params", file.names, file.path)
    parts = {split: _declared(file, split) for split in there}
    file.refuse_unless_it_fits(one for found in parts.values() for one in found.values())
    factor = None
    if any("truth" in found for found in parts.values()):
        if "conversion_factor" not in file:
            truth = next(found["truth"].name for found in parts.values() if "truth" in found)
            raise InputError(
                f"{file.path}: has '{truth}' but no 'conversion_factor'; expected the number that "
                "the truth is divided by to give spikes per bin"
            )
        factor = file.number("conversion_factor", "one number above 0")
    return {split: _read(file, split, found, factor) for split, found in parts.items()}


def _declared(file: OutputFile, split: str) -> dict[str, Declared]:
    rates = file.three_axes(f"{split}_output_params")
    found = {"rates": rates}
    for part, name in (("data", f"{split}_recon_data"), ("truth", f"{split}_truth")):
        if name in file:
            found[part] = file.three_axes(name)
            if found[part].shape != rates.shape:
                raise InputError(
                    f"{file.path}: '{name}' has sizes {found[part].shape}; expected "
                    f"{rates.shape}, as '{rates.name}' has"
                )
    return found


def _read(
    file: OutputFile, split: str, found: Mapping[str, Declared], factor: float | None
) -> Trials:
    observed, heldin = _seen(file, split, found["rates"].shape)
    arrays: dict[str, Floats] = {}
    for part, one in found.items():
        arrays[part] = file.read(one)
        refuse_not_finite(arrays[part], one.name, file.path, missing=part == "data")
    truth = arrays.get("truth")
    if truth is not None:
        truth = np.asarray(truth / np.float32(factor or 1.0), dtype=np.float32)
        refuse_not_finite(truth, found["truth"].name, file.path, missing=False)
    return Trials(arrays["rates"], arrays.get("data"), truth, observed, heldin)


def _seen(file: OutputFile, split: str, rates: tuple[int, ...]) -> tuple[int, int]:
    """Return how many steps and channels the model saw: T and D."""
    name = f"{split}_encod_data"
    if name not in file:
        raise has_no(name, file.names, file.path)
    _, steps, channels = file.three_axes(name).shape
    if steps > rates[1] or channels > rates[2]:
        raise InputError(
            f"{file.path}: '{name}' has {steps} steps and {channels} channels, more than the "
            f"{rates[1]} and {rates[2]} of '{split}_output_params'; expected at most as many"
        )
    return steps, channels
