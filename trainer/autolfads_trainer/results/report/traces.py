"""Figure: a few channels of a few trials, rates as lines over the spikes they explain."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autolfads_trainer.results.report.drawing import (
    BEST,
    COPY,
    GRID,
    INK,
    draw_lines,
    few_ticks,
    new_figure,
    tidy,
)
from autolfads_trainer.results.report.examples import TrialExamples
from autolfads_trainer.results.report.units import MOST_TRIALS, rate_unit, time_unit, top_of

CHANNELS = 3

Array = NDArray[np.floating]


def trial_traces(trials: TrialExamples) -> Figure:
    """Draw a few channels' rates (truth dashed) over their spikes, one column per trial.

    The channels are those whose inferred rates vary most, one of them held out where there are any.
    The forecast is shaded.
    """
    shown = min(len(trials.numbers), MOST_TRIALS)
    channels = lively(trials)
    figure = new_figure(0.6 + 1.25 * len(channels))
    grid = figure.subplots(len(channels), shown, squeeze=False, sharex=True, sharey="row")
    per_second, unit = rate_unit(trials)
    to_time, time_label = time_unit(trials)
    steps = trials.spikes.shape[1]
    time = (np.arange(steps) + 0.5) * to_time
    for row, channel in enumerate(channels):
        rates = trials.rates[:shown, :, channel] * per_second
        truth = None if trials.truth is None else trials.truth[:shown, :, channel] * per_second
        for column, axes in enumerate(grid[row]):
            tidy(axes)
            axes.plot(time, rates[column], color=BEST, linewidth=1.8)
            if truth is not None:
                axes.plot(time, truth[column], color=COPY, linewidth=1.2, linestyle=(0, (4, 2)))
            _raster(axes, time, trials.spikes[column, :, channel])
            if trials.encod_steps < steps:
                start = trials.encod_steps * to_time
                axes.axvspan(start, steps * to_time, color=GRID, alpha=0.6, linewidth=0, zorder=0)
            axes.set_xlim(0, steps * to_time)
        # Nothing is cut off here: peaks are what people look for.
        top = top_of(rates if truth is None else np.concatenate([rates, truth]), 100)
        first = grid[row, 0]
        first.set_ylim(-0.22 * top, 1.08 * top)
        few_ticks(first, "y", 3)
        held_out = ", held out" if channel >= trials.heldin else ""
        first.set_ylabel(f"channel {channel}{held_out}\n{unit}", fontsize=8)
        ticks = [tick for tick in first.get_yticks() if 0 <= tick <= 1.08 * top]
        first.set_yticks(ticks)  # the strip below 0 is for spikes and has no rate
    for axes, number in zip(grid[0], trials.numbers, strict=False):
        axes.set_title(f"trial {number}")
    for axes in grid[-1]:
        axes.set_xlabel(time_label)
    return figure


def lively(trials: TrialExamples) -> list[int]:
    """Return the channels to show, sorted."""
    spread = np.nan_to_num(trials.rates[:MOST_TRIALS]).std(axis=(0, 1))
    order = [int(channel) for channel in np.argsort(-spread, kind="stable")]
    chosen = order[:CHANNELS]
    held_out = [channel for channel in order if channel >= trials.heldin]
    if held_out and not set(chosen) & set(held_out):
        chosen[-1] = held_out[0]
    return sorted(chosen)


def _raster(axes: Axes, time: Array, counts: Array) -> None:
    lines = [[(at, 0.02), (at, 0.12)] for at in time[np.nan_to_num(counts) > 0]]
    where = axes.get_xaxis_transform()  # time along, share of the panel upwards
    draw_lines(axes, lines, color=INK, linewidth=0.9, transform=where, scaley=False)
