"""What a user can ask of an evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autolfads_trainer.userinput import InputError


@dataclass(frozen=True)
class Options:
    """All optional. Keys are without `train_`, `valid_` or `test_`.

    Lags are tried in cross-validation; a lag above 0 says that behaviour follows rates. The kernel
    is the sd of the Gaussian that smooths spikes for PSTHs. Raises `InputError` for what no
    evaluation can use.
    """

    behaviour: str | None = None
    condition: str | None = None
    lag_ms: tuple[float, ...] = ()
    lag_bins: tuple[int, ...] = ()
    kernel_ms: float | None = None
    kernel_bins: float | None = None
    bin_ms: float | None = None  # where the file does not say how wide its bins are

    def __post_init__(self) -> None:
        for both in (("lag_ms", "lag_bins"), ("kernel_ms", "kernel_bins")):
            if all(getattr(self, name) not in (None, ()) for name in both):
                first, second = (_option(name) for name in both)
                raise InputError(f"evaluate: found {first} and {second}; expected one of them")
        for name in ("kernel_ms", "kernel_bins", "bin_ms"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(
                    f"evaluate: {_option(name)}: found {value:g}; expected a number above 0"
                )
        for lag in self.lag_ms:
            if not math.isfinite(lag):
                raise InputError(f"evaluate: --lag-ms: found {lag}; expected a number")

    @property
    def lag_option(self) -> str | None:
        """The option by which lags were given, or None."""
        return "--lag-ms" if self.lag_ms else "--lag-bins" if self.lag_bins else None

    @property
    def kernel_option(self) -> str | None:
        """The option by which the kernel was given, or None."""
        given = [name for name in ("kernel_ms", "kernel_bins") if getattr(self, name) is not None]
        return _option(given[0]) if given else None


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
