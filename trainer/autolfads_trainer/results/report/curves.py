"""Figure: train and valid recon of every member against epoch."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autolfads_trainer.results.history import History, Leg, series
from autolfads_trainer.results.report.drawing import (
    BEST,
    FAINT,
    GRID,
    LOST,
    MUTED,
    draw_lines,
    new_figure,
    robust_limits,
    tidy,
    whole_numbers,
)

POINTS = 400  # along the whole run and per line: about as many as there are pixels
LABELS = 10  # generations are numbered along the top as far as the numbers fit

Line = NDArray[np.float64]  # (points, 2): epoch and value


def population_curves(history: History) -> Figure:
    """Draw train recon (left) and valid recon (right) of all members, on one scale.

    A line is one member in one generation, joined to the end of the leg it started from, so a copy
    branches off its winner; the best lineage is drawn over them.
    """
    figure = new_figure(3.9)
    left, right = figure.subplots(1, 2, sharey=True)
    stride = max(1, round(_epochs(history) / POINTS))
    seen: list[float] = []
    kept: list[float] = []
    for axes, split in ((left, "train"), (right, "valid")):
        metric = f"{split}/recon"
        legs = history.ordered()
        lines = [_line(history, leg, metric, stride) for leg in legs]
        draw_lines(axes, lines, color=FAINT, linewidth=0.8, zorder=2)
        seen += [value for leg in legs for value in series([leg], metric)[1]]
        best = _best(history, metric)
        kept += best[:, 1].tolist()
        axes.plot(*best.T, color=BEST, linewidth=2, solid_capstyle="round", zorder=3)
        axes.plot(*best[-1:].T, marker="o", color=BEST, markersize=5, linestyle="", zorder=4)
        axes.set(title=f"{split} recon", xlabel="epoch")
        tidy(axes)
        whole_numbers(axes)
    left.set_ylabel("recon")
    right.tick_params(labelleft=False, left=False)
    low, high = robust_limits(seen, kept)
    left.set_ylim(low, high)
    for axes, split in ((left, "train"), (right, "valid")):
        _limit_epochs(axes, history)
        _mark_generations(axes, history)
        _mark_lost(axes, history, f"{split}/recon", low, high)
    return figure


def generation_starts(history: History) -> dict[int, int]:
    """Return the epoch at which each generation but the first began.

    Where members began it at different epochs (asynchronous mode), the best lineage's epoch counts.
    """
    best = {leg.generation: leg.start_epoch for leg in history.best_lineage()}
    starts: dict[int, set[int]] = {}
    for leg in history.legs:
        starts.setdefault(leg.generation, set()).add(leg.start_epoch)
    found = {
        generation: min(epochs) if len(epochs) == 1 else best.get(generation)
        for generation, epochs in sorted(starts.items())
        if generation > 1
    }
    return {generation: epoch for generation, epoch in found.items() if epoch is not None}


def _epochs(history: History) -> int:
    return max(1, *(leg.end_epoch for leg in history.legs))


def _limit_epochs(axes: Axes, history: History) -> None:
    last = max([1.0, *series(history.legs)[0]])
    axes.set_xlim(-0.01 * last, 1.01 * last)


def _line(history: History, leg: Leg, metric: str, stride: int) -> Line:
    points = np.array(series([leg], metric)).T.reshape(-1, 2)
    points = _thinned(points, stride)
    if leg.parent is not None:
        joint = np.array(series([history.leg(leg.parent)], metric)).T.reshape(-1, 2)[-1:]
        points = np.concatenate([joint, points])
    return points


def _best(history: History, metric: str) -> Line:
    points = np.array(series(history.best_lineage(), metric)).T.reshape(-1, 2)
    return _thinned(points[np.isfinite(points[:, 1])], max(1, round(len(points) / (2 * POINTS))))


def _thinned(points: Line, stride: int) -> Line:
    if stride == 1 or len(points) <= 2:
        return points
    return np.concatenate([points[:-1:stride], points[-1:]])


def _mark_generations(axes: Axes, history: History) -> None:
    starts = generation_starts(history)
    every = -(-len(starts) // LABELS) if starts else 1
    for index, (generation, epoch) in enumerate(starts.items()):
        axes.axvline(epoch - 0.5, color=GRID, linewidth=0.7, zorder=0)
        if index % every == 0:
            text = f"gen {generation}" if index == 0 else str(generation)
            axes.annotate(
                text,
                (epoch - 0.5, 1),
                (2, -1),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                color=MUTED,
                fontsize=7,
            )


def _mark_lost(axes: Axes, history: History, metric: str, low: float, high: float) -> None:
    for leg in history.lost():
        points = np.array(series([leg], metric)).T.reshape(-1, 2)
        points = points[np.isfinite(points[:, 1])]
        if len(points):  # one that left through the roof is marked at the roof
            height = float(np.clip(points[-1, 1], low, high))
            axes.plot(points[-1, 0], height, "x", color=LOST, zorder=4, clip_on=False)
