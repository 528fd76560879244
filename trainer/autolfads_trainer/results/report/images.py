"""Figure: a few trials as images, all channels against time."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from autolfads_trainer.results.report.drawing import (
    INK,
    MUTED,
    few_ticks,
    new_figure,
    whole_numbers,
)
from autolfads_trainer.results.report.examples import TrialExamples
from autolfads_trainer.results.report.units import MOST_TRIALS, rate_unit, time_unit, top_of

MOST_PIXELS = 300  # of an image, each way: about what the page has for it
COLOURMAP = mpl.colormaps["viridis"].resampled(64)  # more shades only make larger files
ON_IMAGE = "#ffffff"
DASHES = (0, (4, 3))

Array = NDArray[np.floating]


def trial_images(trials: TrialExamples) -> Figure:
    """Draw spikes, inferred rates and, where known, true rates: one column per trial.

    Rates share one scale. Dashed lines bound held-out channels (below) and the forecast (right).
    """
    shown = min(len(trials.numbers), MOST_TRIALS)
    per_second, unit = rate_unit(trials)
    kinds = [("inferred rates", trials.rates[:shown] * per_second)]
    if trials.truth is not None:
        kinds.append(("true rates", trials.truth[:shown] * per_second))
    figure = new_figure(0.7 + 1.75 * (1 + len(kinds)))
    grid = figure.subplots(
        1 + len(kinds), shown + 1, squeeze=False, width_ratios=[1] * shown + [0.025]
    )

    most = max(1.0, top_of(trials.spikes[:shown], 99.9))
    for column, axes in enumerate(grid[0, :-1]):
        image = _pooled(trials.spikes[column].T, np.maximum) / most
        _ink(axes, image, _extent(trials), f"spikes-{column}")
        axes.set_title(f"trial {trials.numbers[column]}")
        _mark(axes, trials, INK)
        _say_forecast(axes, trials)
    _ink(grid[0, -1], _ramp(), (0, 1, 0, most), "spikes-scale")
    _scale(grid[0, -1], "spikes/bin", whole=True)
    grid[0, 0].set_ylabel("spikes\nchannel")

    top = top_of(np.concatenate([rates for _, rates in kinds]))
    for row, (name, rates) in enumerate(kinds, start=1):
        for column, (axes, values) in enumerate(zip(grid[row, :-1], rates, strict=True)):
            image = _pooled(values.T, np.add)
            drawn = _drawn(_extent(trials), f"rates-{row}-{column}")
            axes.imshow(image, vmin=0, vmax=top, cmap=COLOURMAP, **drawn)
            _mark(axes, trials, ON_IMAGE)
        drawn = _drawn((0, 1, 0, top), f"rates-{row}-scale")
        grid[row, -1].imshow(_ramp(), cmap=COLOURMAP, **drawn)
        beyond = float(np.max(rates, initial=0.0)) > top
        _scale(grid[row, -1], f"{unit} and more" if beyond else unit, whole=False)
        grid[row, 0].set_ylabel(f"{name}\nchannel")

    for axes in grid[:, :-1].ravel():
        axes.spines[:].set_visible(False)
        axes.tick_params(length=2, labelleft=False, labelbottom=False)
        whole_numbers(axes, "y", ticks=5)
        few_ticks(axes, "x", 5)
    for axes in grid[:, 0]:
        axes.tick_params(labelleft=True)
    for axes in grid[-1, :-1]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(time_unit(trials)[1])
    for axes in grid[:, shown - 1]:
        _say_held_out(axes, trials)
    return figure


def _extent(trials: TrialExamples) -> tuple[float, float, float, float]:
    steps, channels = trials.spikes.shape[1:]
    return 0, steps * time_unit(trials)[0], channels - 0.5, -0.5


def _drawn(extent: tuple[float, float, float, float], name: str) -> dict[str, Any]:
    # The name becomes the image's id; without one, equal images would have equal ids.
    return {"extent": extent, "aspect": "auto", "interpolation": "none", "gid": name}


def _ink(axes: Axes, share: Array, extent: tuple[float, float, float, float], name: str) -> None:
    # Black of varying opacity, so that the page can invert it in its dark theme (see `theme.py`).
    image = np.zeros((*share.shape, 4))
    image[..., 3] = np.clip(np.nan_to_num(share), 0, 1)
    axes.imshow(image, **_drawn(extent, name))


def _ramp() -> Array:
    return np.linspace(1, 0, 64)[:, None]


def _pooled(image: Array, how: np.ufunc) -> Array:
    """Return `image` with neighbours summed (as a mean) or their maximum, at most `MOST_PIXELS`."""
    for axis in (0, 1):
        size = image.shape[axis]
        if size > MOST_PIXELS:
            starts = np.linspace(0, size, MOST_PIXELS, endpoint=False).astype(int)
            image = how.reduceat(image, starts, axis=axis)
            if how is np.add:
                counts = np.diff(np.append(starts, size))
                image = image / np.expand_dims(counts, 1 - axis)
    return image


def _mark(axes: Axes, trials: TrialExamples, colour: str) -> None:
    steps, channels = trials.spikes.shape[1:]
    if trials.heldin < channels:
        axes.axhline(trials.heldin - 0.5, color=colour, linewidth=1.1, linestyle=DASHES)
    if trials.encod_steps < steps:
        start = trials.encod_steps * time_unit(trials)[0]
        axes.axvline(start, color=colour, linewidth=1.1, linestyle=DASHES)


def _say_forecast(axes: Axes, trials: TrialExamples) -> None:
    if trials.encod_steps < trials.spikes.shape[1]:
        axes.set_title("forecast", loc="right", color=MUTED, fontsize=7.5, fontweight="normal")


def _say_held_out(axes: Axes, trials: TrialExamples) -> None:
    channels = trials.spikes.shape[2]
    if trials.heldin < channels:
        axes.annotate(
            "held out",
            (1, (trials.heldin + channels) / 2 - 0.5),
            (3, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            rotation=90,
            va="center",
            ha="left",
            color=MUTED,
            fontsize=7.5,
        )


def _scale(axes: Axes, unit: str, *, whole: bool) -> None:
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    (whole_numbers if whole else few_ticks)(axes, "y", 3)
    axes.set_ylabel(unit)
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)
