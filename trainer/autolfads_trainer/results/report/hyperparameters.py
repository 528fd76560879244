"""Figure: the tuned hyperparameters along each surviving lineage."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autolfads_trainer.results.history import History, Leg
from autolfads_trainer.results.report.drawing import (
    BEST,
    COPY,
    FAINT,
    draw_lines,
    few_ticks,
    log_axis,
    new_figure,
    plain_numbers,
    tidy,
    whole_numbers,
)

COLUMNS = 3
MOST = 24  # panels; a search space beyond this is told in words


def tuned(history: History) -> list[str]:
    """Return the hyperparameters that differ between any two legs, by dotted path.

    In the order in which the legs name them: the search space's.
    """
    return [path for path, values in _values(history).items() if len(values) > 1]


def constant(history: History) -> dict[str, float]:
    """Return the hyperparameters that kept one value in every leg, by dotted path."""
    return {path: min(values) for path, values in _values(history).items() if len(values) == 1}


def hyperparameter_paths(history: History) -> Figure:
    """Draw one panel per tuned hyperparameter, value against epoch, of at most `MOST` of them.

    Every surviving lineage from its start to its end; the best lineage over them; enforced limits
    dashed where they are in view.
    """
    paths = tuned(history)[:MOST]
    rows = -(-len(paths) // COLUMNS)
    figure = new_figure(0.3 + 1.75 * rows)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    titles = short_names(paths)
    # Lineages share their ancestors, and each leg is drawn once.
    survivors = {leg.key: leg for tip in history.survivors() for leg in history.lineage(tip)}
    for axes, path in zip(panels, paths, strict=False):
        _panel(axes, history, path, list(survivors.values()))
        axes.set_title(titles[path])
    for axes in panels[len(paths) :]:
        axes.set_visible(False)
    for axes in panels[(rows - 1) * COLUMNS : len(paths)]:
        axes.set_xlabel("epoch")
    return figure


def short_names(paths: list[str]) -> dict[str, str]:
    """Return each path's last word, or as many of its last words as tell it from the others."""
    names = {}
    for path in paths:
        words = path.split(".")
        endings = (".".join(words[-count:]) for count in range(1, len(words) + 1))
        names[path] = next(
            ending
            for ending in endings
            if sum(other == ending or other.endswith(f".{ending}") for other in paths) == 1
        )
    return names


def _values(history: History) -> dict[str, set[float]]:
    values: dict[str, set[float]] = {}
    for leg in history.legs:
        for path, value in leg.hyperparameters.items():
            if math.isfinite(value):
                values.setdefault(path, set()).add(value)
    return values


def _panel(axes: Axes, history: History, path: str, survivors: list[Leg]) -> None:
    lines = [_steps((*_parent(history, leg), leg), path)[-3:] for leg in survivors]
    best = _steps(history.best_lineage(), path)
    draw_lines(axes, lines, color=FAINT, linewidth=0.8)
    axes.plot(*best.T, color=BEST, linewidth=2, zorder=3, solid_joinstyle="miter")
    axes.plot(*best[-1:].T, marker="o", color=BEST, markersize=4.5, linestyle="", zorder=4)
    tidy(axes)
    axes.margins(x=0.02)
    axes.autoscale_view(scaley=False)
    whole_numbers(axes, ticks=5)
    drawn = np.concatenate([best, *lines])[:, 1]
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return
    low, high = float(drawn.min()), float(drawn.max())
    if low > 0 and high / low > 10:
        log_axis(axes, low * 0.8, high * 1.25)
    else:
        margin = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
        axes.set_ylim(low - margin, high + margin)
        few_ticks(axes, "y", 4)
        plain_numbers(axes)
    bottom, top = axes.get_ylim()
    for limit in history.limits.get(path, ()):
        if bottom <= limit <= top:
            axes.axhline(limit, color=COPY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)


def _parent(history: History, leg: Leg) -> tuple[Leg, ...]:
    return () if leg.parent is None else (history.leg(leg.parent),)


def _steps(line: tuple[Leg, ...], path: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    points = [
        (epoch, leg.hyperparameters.get(path, math.nan))
        for leg in line
        for epoch in (leg.start_epoch, leg.end_epoch)
    ]
    return np.array(points, dtype=np.float64).reshape(-1, 2)
