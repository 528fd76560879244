"""Figure: who beat whom."""

from __future__ import annotations

from matplotlib.figure import Figure

from autolfads_trainer.results.history import History, Leg
from autolfads_trainer.results.report.drawing import (
    BEST,
    COPY,
    FAINT,
    LOST,
    MUTED,
    PAGE,
    draw_lines,
    new_figure,
)


def lineage_diagram(history: History) -> Figure:
    """Draw members (rows) through generations (columns), with a line from each leg to the next.

    A leg that nobody continued is hollow; a copy is a line from the winner's row to the loser's.
    """
    rows = {member: row for row, member in enumerate(history.members)}
    small = history.population <= 12 and history.generations <= 16
    size = 1.0 if small else 0.6
    figure = new_figure(0.9 + (0.34 if small else 0.2) * history.population)
    axes = figure.subplots()

    def place(leg: Leg) -> tuple[int, int]:
        return leg.generation, rows[leg.member]

    def join(legs: list[Leg]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        pairs = ((leg.parent, leg) for leg in legs)
        return [(place(history.leg(parent)), place(leg)) for parent, leg in pairs if parent]

    legs = list(history.ordered())
    best = list(history.best_lineage())
    draw_lines(axes, join([leg for leg in legs if not leg.copied]), color=FAINT, linewidth=1)
    draw_lines(
        axes,
        join([leg for leg in legs if leg.copied]),
        color=COPY,
        linewidth=1.2 if small else 0.8,
        alpha=1 if small else 0.55,  # hundreds of them would bury the best lineage
    )
    draw_lines(axes, join(best), color=BEST, linewidth=2.6, zorder=2.5)

    parents, tips = history.parents(), {leg.key for leg in history.tips()}
    bold = {leg.key for leg in best}
    others = [leg for leg in legs if leg.key not in bold]
    for kind, face, edge in (
        ([leg for leg in others if leg.key in parents | tips], MUTED, MUTED),
        ([leg for leg in others if leg.key not in parents | tips], PAGE, MUTED),
        (best, BEST, BEST),
    ):
        shown = [leg for leg in kind if not leg.lost]
        axes.plot(
            [leg.generation for leg in shown],
            [rows[leg.member] for leg in shown],
            marker="o",
            linestyle="",
            markersize=6 * size,
            markerfacecolor=face,
            markeredgecolor=edge,
            zorder=3,
        )
    lost = history.lost()
    axes.plot(
        [leg.generation for leg in lost],
        [rows[leg.member] for leg in lost],
        "x",
        color=LOST,
        markersize=6.5 * size,
        markeredgewidth=1.8,
        zorder=4,
    )
    axes.plot(
        *place(best[-1]),
        marker="o",
        markersize=12 * size,
        markerfacecolor="none",
        markeredgecolor=BEST,
        markeredgewidth=1.6,
        zorder=5,
    )
    last = history.generations
    every = max(1, -(-last // 20))
    axes.set_xlim(0.5, last + 0.5)
    axes.set_xticks(range(1, last + 1, every))
    axes.set_ylim(history.population - 0.4, -0.6)
    axes.set_yticks(list(rows.values()), [str(member) for member in rows])
    axes.set(xlabel="generation", ylabel="member")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    return figure
