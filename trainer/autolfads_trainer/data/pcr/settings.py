"""How sessions are compared: what the options of `autolfads pcr` say."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autolfads_trainer.userinput import InputError, shown


@dataclass(frozen=True)
class Settings:
    """Raises `InputError`, in the words of the options, for what cannot be."""

    components: int | None = None  # None: as many as all sessions have, up to 20
    by: str | None = None  # conditions are in `train_<by>`. None: found under their usual names
    trials: bool = False  # compare averages of all trials instead of conditions
    smooth_bins: float | None = None  # std of the Gaussian. None: 2, unless given in ms
    smooth_ms: float | None = None
    ridge: float = 0.01

    def __post_init__(self) -> None:
        if self.components is not None and self.components < 1:
            raise InputError(
                f"--components: found {self.components}; expected a whole number of at least 1"
            )
        for option, value in (
            ("--smooth-bins", self.smooth_bins),
            ("--smooth-ms", self.smooth_ms),
            ("--ridge", self.ridge),
        ):
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"{option}: found {shown(value)}; expected a number of at least 0")
        if self.by is not None and self.trials:
            raise InputError("pcr: found --by and --trials; expected at most one of them")
        if self.smooth_bins is not None and self.smooth_ms is not None:
            raise InputError("pcr: found --smooth-bins and --smooth-ms; expected at most one")
