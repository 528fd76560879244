"""Losses and R² of two runs, one over the other, as a picture: curves.py ENGINE REFERENCE OUT.svg

The runs are rows that `tests/soak/lorenz.py --rows FILE` wrote, from the same seed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

PANELS = {
    "train/recon": "reconstruction, training",
    "valid/recon": "reconstruction, validation",
    "valid/r2": "R² to the true rates, validation",
}


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    engine, reference = (
        json.loads(path.read_text()) for path in (arguments.engine, arguments.reference)
    )
    mpl.rcParams["svg.hashsalt"] = "curves"  # the same picture of the same numbers
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 3.2), layout="constrained")
    for axis, (name, title) in zip(axes, PANELS.items(), strict=True):
        for run, label, style in (
            (reference, "reference", {"color": "#c7cdd6", "linewidth": 5}),
            (engine, "engine", {"color": "#1f4e9c", "linewidth": 1.4}),
        ):
            axis.plot([row[name] for row in run["rows"]], label=label, **style)
        axis.set(title=title, xlabel="epoch")
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.savefig(arguments.out, metadata={"Date": None})


if __name__ == "__main__":
    main()
