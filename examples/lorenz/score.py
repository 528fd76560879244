"""Print the pooled R² of the validation trials' rates in a run's zip to the true rates.

`python examples/lorenz/score.py autolfads.zip`
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import h5py


def pooled_r2(archive: Path) -> float:
    """Return 1 − SSE / SST, SST around each channel's mean, over all trials, bins and channels."""
    with zipfile.ZipFile(archive) as files:
        content = io.BytesIO(files.read("lfads_output_sess0.h5"))
    with h5py.File(content, "r") as file:
        rates = file["valid_output_params"][()].astype(float)  # spikes per bin
        truth = file["valid_truth"][()] / file["conversion_factor"][()]  # Hz to spikes per bin
    spread = ((truth - truth.mean(axis=(0, 1))) ** 2).sum()
    return float(1 - ((rates - truth) ** 2).sum() / spread)


if __name__ == "__main__":
    print(f"pooled R² of the validation trials' rates: {pooled_r2(Path(sys.argv[1])):.4f}")
