"""Pictures of what a dashboard would show: no Grafana is needed to look at them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from dashboards.parts import Board, Panel, Query
from matplotlib import pyplot as plt

Answer = tuple[Panel, Query, Any]


def draw(board: Board, answers: list[Answer], path: Path) -> None:
    """Draw each panel's answers (of `query_range`) into one picture."""
    panels = [panel for row in board.rows for panel in row.panels]
    columns = 4
    rows = math.ceil(len(panels) / columns)
    figure, axes = plt.subplots(rows, columns, figsize=(5 * columns, 3 * rows), squeeze=False)
    for panel, place in zip(panels, axes.flat, strict=False):
        place.set_title(f"{panel.title} [{panel.unit}]", fontsize=9)
        for other, query, answer in answers:
            if other is panel:
                for series in answer["result"]:
                    points = [(float(at), float(value)) for at, value in series["values"]]
                    label = query.legend
                    for name, value in series["metric"].items():
                        label = label.replace(f"{{{{{name}}}}}", value)
                    place.plot(*zip(*points, strict=True), label=label or None)
        if panel.logarithmic:
            place.set_yscale("log")
        if place.get_legend_handles_labels()[0]:
            place.legend(fontsize=6)
        place.tick_params(labelsize=6)
        place.xaxis.set_major_formatter(lambda at, _: f"{at % 1000:.0f} s")
    for place in list(axes.flat)[len(panels) :]:
        place.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    plt.close(figure)
