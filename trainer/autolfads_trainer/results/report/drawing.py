"""How every figure of the report is drawn: its colours, its axes, and its way into the page.

Figures are inline SVG. Their colours are CSS variables, so the page's light and dark themes apply
to them too, and their text is text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

WIDTH = 10.5  # inches; with 8.5 pt text this is legible both across a page and on paper

# Each colour is drawn literally and becomes `var(--name)` in the page (see `theme.py`).
INK = "#1c2430"
MUTED = "#6b7585"
FAINT = "#b4bdca"
GRID = "#e3e7ee"
BEST = "#0a66c2"
COPY = "#d0731f"
LOST = "#c32f45"
PAGE = "#fdfdfe"
COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "faint": FAINT,
    "grid": GRID,
    "best": BEST,
    "copy": COPY,
    "lost": LOST,
    "page": PAGE,
}

_STYLE: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "autolfads",  # the same figure gives the same text
    "text.parse_math": False,  # a `$` in a user's name is a dollar
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the report's style, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context("default"), mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def new_figure(height: float) -> Figure:
    """Return an empty figure of the report's width; `height` in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """Return `figure` as an `<svg>` element, `name` unique in the page, `title` for screen readers.

    To be called within `style()`.
    """
    # Laid out here, once: `savefig` would draw everything a time more for it.
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine("none")
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", svg, count=1)
    # Groups are named but never referred to, and the page has its own font.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r"font-family: [^;\"]*; ", "", svg)
    # One page holds several figures, and an id may be there only once.
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'((?:xlink:)?href=")#', rf"\1#{name}-", svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    # A hundredth of a point is more than a screen shows.
    svg = re.sub(r' d="[^"]*"', lambda path: _rounded(path[0]), svg)
    for colour_name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{colour_name})")
    opening = f'<svg role="img" aria-label="{escape(title)}"'
    return svg.replace("<svg", opening, 1).strip()


def _rounded(path: str) -> str:
    short = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}", path)
    return re.sub(r"\s*\n\s*", " ", short)


def draw_lines(axes: Axes, lines: Sequence[ArrayLike], **look: Any) -> None:
    """Draw many lines, each (points, 2), as one path: a fraction of the file size of a path each.

    As with `Axes.plot`, a line is broken where it is NaN; `look` is passed on to it.
    """
    gap = np.full((1, 2), np.nan)
    parts = [part for line in lines for part in (np.asarray(line, dtype=np.float64), gap)]
    points = np.concatenate(parts) if parts else gap
    axes.plot(points[:, 0], points[:, 1], **look)


def tidy(axes: Axes) -> None:
    """Give `axes` a faint horizontal grid and few ticks on the epoch or time axis."""
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)


def whole_numbers(axes: Axes, which: Literal["x", "y"] = "x", ticks: int = 8) -> None:
    """Put at most about `ticks` ticks on an axis, at whole numbers only."""
    _axis(axes, which).set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=1))


def few_ticks(axes: Axes, which: Literal["x", "y"], ticks: int) -> None:
    """Put at most about `ticks` ticks on an axis, at round numbers."""
    _axis(axes, which).set_major_locator(MaxNLocator(ticks, steps=[1, 2, 2.5, 5, 10]))


def _axis(axes: Axes, which: Literal["x", "y"]) -> Axis:
    return axes.xaxis if which == "x" else axes.yaxis


def plain_numbers(axes: Axes) -> None:
    """Label the y axis with each tick's own value, `0.001` or `2.5e-05`, without an offset."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.5g}"))


def log_axis(axes: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic, from `low` to `high`, with plain labels."""
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    decades = np.log10(high / low)
    subs = (1.0,) if decades > 2 else (1.0, 3.0) if decades > 1 else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=7))
    plain_numbers(axes)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def robust_limits(
    values: Sequence[float] | NDArray[np.floating], keep: Sequence[float] | NDArray[np.floating]
) -> tuple[float, float]:
    """Return axis limits for `values` that a few wild ones do not decide.

    Most of `values` and 97 % of `keep` lie inside; not finite ones count for nothing.
    """
    every, kept = _finite(values), _finite(keep)
    if not len(every):
        return 0.0, 1.0
    if not len(kept):
        kept = every
    q25, q75 = np.percentile(every, (25, 75))
    reach = 3 * (q75 - q25)
    tame = every[(every >= q25 - reach) & (every <= q75 + reach)]
    low = min(np.percentile(kept, 1), np.percentile(tame, 0.5))
    high = max(np.percentile(kept, 97), np.percentile(tame, 97))
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return float(low - margin), float(high + margin)


def _finite(values: Sequence[float] | NDArray[np.floating]) -> NDArray[np.floating]:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]
