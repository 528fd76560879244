"""What the dashboards are made of: panels in rows, and variables that choose what they show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

WIDTH = 24  # of a dashboard
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
NEEDS_GPU_EXPORTER = ("DCGM_",)
"""What names of metrics begin with that the operator does not have."""

Kind = Literal["lines", "number", "table", "states"]


@dataclass(frozen=True)
class Query:
    """One PromQL expression and what its series are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        thresholds: (from which value on, colour), the first from None on.
        repeat: the variable for each of whose values there is one.
        columns: of a table: which label or query each column shows, by its title.
    """

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "lines"
    width: int = 8
    height: int = 8
    thresholds: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    stacked: bool = False
    logarithmic: bool = False
    decimals: int | None = None
    lowest: float | None = None
    repeat: str | None = None
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Row:
    """Panels side by side, under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[tuple[str, str, str], ...] = ()  # name, label, label_values query
    single: tuple[str, ...] = field(default=())  # variables of which one value is shown

    def queries(self) -> Iterator[tuple[Panel, Query]]:
        """Yield all that it asks Prometheus."""
        for row in self.rows:
            for panel in row.panels:
                for query in panel.queries:
                    yield panel, query


def built(board: Board) -> dashboard.Dashboard:
    """Return the dashboard as Grafana's own library builds it."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["autolfads"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
    )
    for name, label, query in board.variables:
        variable = (
            dashboard.QueryVariable(name)
            .label(label)
            .query(f"label_values({query})")
            .datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.NATURAL_ASC)
        )
        if name not in board.single:
            variable = variable.multi(True).include_all(True)
        made = made.with_variable(variable)
    number = 0
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            number += 1
            made = made.with_panel(_panel(panel, number))
    return made


def _panel(panel: Panel, number: int) -> object:
    made = {"lines": _lines, "number": _number, "table": _table, "states": _states}[panel.kind](
        panel
    )
    steps = [Threshold(value=value, color=color) for value, color in panel.thresholds]
    made = (
        made.title(panel.title)
        .id(number)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(panel.width)
        .height(panel.height)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    )
    if panel.decimals is not None:
        made = made.decimals(panel.decimals)
    if panel.lowest is not None:
        made = made.min(panel.lowest)
    if panel.repeat is not None:
        made = made.repeat(panel.repeat)
    for query, name in zip(panel.queries, "ABCDEFGHIJKL", strict=False):
        made = made.with_target(_target(panel, query, name))
    return made


def _target(panel: Panel, query: Query, name: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expression).ref_id(name).datasource(SOURCE)
    if query.legend:
        made = made.legend_format(query.legend)
    if panel.kind == "table":
        return made.format(PromQueryFormat.TABLE).instant()
    if panel.kind == "number":
        return made.instant()
    return made.range()


def _lines(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .draw_style(GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(20 if panel.stacked else 0)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    if panel.stacked:
        made = made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if panel.logarithmic:
        scale = common.ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10)
        made = made.scale_distribution(scale)
    return made


def _number(_: Panel) -> stat.Panel:
    return stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))


def _states(_: Panel) -> statetimeline.Panel:
    return statetimeline.Panel().show_value("never").row_height(0.8)


def _table(panel: Panel) -> table.Panel:
    """Put the answers to all queries into one row for each run."""
    names = dict(panel.columns)
    return table.Panel().transformations(
        [
            DataTransformerConfig(id_val="merge", options={}),
            DataTransformerConfig(
                id_val="organize",
                options={
                    "renameByName": {found: title for title, found in names.items()},
                    "indexByName": {found: at for at, found in enumerate(names.values())},
                    "includeByName": dict.fromkeys(names.values(), True),
                },
            ),
        ]
    )


def numbers(*panels: Panel) -> tuple[Panel, ...]:
    """Return panels as wide as fill a row."""
    return tuple(
        Panel(**{**vars(panel), "width": WIDTH // len(panels), "height": 4, "kind": "number"})
        for panel in panels
    )


def in_namespaces(metric: str, more: str = "") -> str:
    """Return a selector of the namespaces that are chosen."""
    return chosen(metric, ("namespace",), more)


def quantile(share: float, buckets: str) -> str:
    """Return what that share of a histogram's observations is at most."""
    return f"histogram_quantile({share}, {buckets})"


def chosen(metric: str, labels: Sequence[str] = ("namespace", "run"), more: str = "") -> str:
    """Return a selector of what the variables choose."""
    parts: Iterable[str] = [f'{label}=~"${label}"' for label in labels]
    return f"{metric}{{{', '.join([*parts, *([more] if more else [])])}}}"
