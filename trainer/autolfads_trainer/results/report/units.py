"""What the axes of the trial figures count in, and how far they reach."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autolfads_trainer.results.report.examples import TrialExamples

MOST_TRIALS = 4  # side by side


def rate_unit(trials: TrialExamples) -> tuple[float, str]:
    """Return the factor from spikes per bin to the unit shown, and its name."""
    if trials.bin_seconds is None:
        return 1.0, "spikes/bin"
    return 1 / trials.bin_seconds, "spikes/s"


def time_unit(trials: TrialExamples) -> tuple[float, str]:
    """Return the factor from bins to the unit shown, and the time axis' label."""
    if trials.bin_seconds is None:
        return 1.0, "time (bins)"
    if trials.bin_seconds * trials.spikes.shape[1] < 5:
        return trials.bin_seconds * 1000, "time (ms)"
    return trials.bin_seconds, "time (s)"


def top_of(values: NDArray[np.floating], percentile: float = 99.5) -> float:
    """Return the top of a scale that starts at 0: above 0, and not decided by a few values."""
    finite = values[np.isfinite(values)]
    top = float(np.percentile(finite, percentile)) if finite.size else 0.0
    return top if top > 0 else float(finite.max(initial=0.0)) or 1.0
