"""Milliseconds and bins: how wide a bin is, and what lags and kernels are in bins."""

from __future__ import annotations

import math
from pathlib import Path

from autolfads_trainer.evaluation.options import Options
from autolfads_trainer.userinput import InputError

# The lags of the Neural Latents Benchmark's data sets lie between -40 and 140 ms.
EARLIEST_MS, LATEST_MS, STEP_MS = -100.0, 200.0, 20.0
KERNEL_MS = 50.0  # its kernels: 40, 50 and 70 ms
KERNEL_BINS = 3.0  # where nobody knows how wide a bin is
_UNKNOWN_BIN_MS = STEP_MS  # then lags go in bins, as many as they are of this width


def bin_width(in_file_ms: float | None, options: Options, path: Path) -> float | None:
    """Return the width of a bin in milliseconds, of the file or as the user says, or None."""
    if in_file_ms is None or options.bin_ms is None:
        return options.bin_ms if in_file_ms is None else in_file_ms
    if not math.isclose(in_file_ms, options.bin_ms, rel_tol=1e-6):
        raise InputError(
            f"{path}: its bin_width_seconds says bins of {in_file_ms:g} ms; "
            f"found --bin-ms {options.bin_ms:g}; expected the same, or no --bin-ms"
        )
    return in_file_ms


def lags_to_try(options: Options, bin_ms: float | None, steps: int, path: Path) -> tuple[int, ...]:
    """Return the lags in bins, sorted, for trials whose rates have so many `steps`.

    Without any given: from -100 to 200 ms in steps of 20 ms, or of a bin where that is wider. Of
    these only such as leave half of a trial's bins to compare them on.
    """
    if options.lag_bins:
        return tuple(sorted(set(options.lag_bins)))
    if options.lag_ms:
        return tuple(sorted({_whole_bins(lag, bin_ms, path) for lag in options.lag_ms}))
    width = _UNKNOWN_BIN_MS if bin_ms is None else bin_ms
    step = max(1, round(STEP_MS / width))
    earliest = max(EARLIEST_MS / width, -steps / 6)
    latest = min(LATEST_MS / width, steps / 3)
    few = range(math.ceil(earliest / step - 1e-9), math.floor(latest / step + 1e-9) + 1)
    return tuple(step * number for number in few)


def kernel(options: Options, bin_ms: float | None, path: Path) -> float:
    """Return the sd, in bins, of the Gaussian that smooths spikes."""
    if options.kernel_bins is not None:
        return options.kernel_bins
    if options.kernel_ms is not None and bin_ms is None:
        raise _no_width(path, "--kernel-ms", "--kernel-bins")
    if bin_ms is None:
        return KERNEL_BINS
    return (KERNEL_MS if options.kernel_ms is None else options.kernel_ms) / bin_ms


def _whole_bins(lag: float, bin_ms: float | None, path: Path) -> int:
    if bin_ms is None:
        raise _no_width(path, "--lag-ms", "--lag-bins")
    bins = round(lag / bin_ms)
    if not math.isclose(lag, bins * bin_ms, rel_tol=1e-6, abs_tol=1e-6):
        raise InputError(
            f"{path}: --lag-ms: found {lag:g} with bins of {bin_ms:g} ms; expected whole bins"
        )
    return bins


def _no_width(path: Path, option: str, other: str) -> InputError:
    return InputError(
        f"{path}: {option}: the file has no attribute bin_width_seconds; "
        f"expected --bin-ms beside it, or {other}"
    )
