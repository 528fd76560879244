"""A real Prometheus scrapes the real operator during a run, and answers every panel and alert."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import yaml
from dashboards.__main__ import BOARDS
from dashboards.parts import NEEDS_GPU_EXPORTER, Board
from kube import needs
from kube.cluster import Cluster
from kube.helm import rendered
from kube.waiting import wait_until
from lab import Lab, Run
from panels import draw

from autolfads_operator.cluster.names import Reason
from autolfads_operator.view.picture import RunState

PORT = 9090
WATCHED = {"burnInEpochs": 10, "generationEpochs": 30, "maxEpochs": 70}
CHOSEN = {"$__range": "5m", "$__rate_interval": "1m", "$namespace": "autolfads"}


@dataclass
class Prometheus:
    """A Prometheus, by its API."""

    address: str

    def ask(self, path: str, **query: object) -> Any:
        """Return what it answers. Raises `urllib.error.HTTPError` for what it does not take."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def now(self, expression: str) -> list[dict[str, Any]]:
        """Return an expression's series at this moment."""
        return self.at(time.time(), expression)

    def at(self, moment: float, expression: str) -> list[dict[str, Any]]:
        """Return an expression's series at a moment: a Unix time."""
        found: list[dict[str, Any]] = self.ask("query", query=expression, time=moment)["result"]
        return found

    def before(self, moment: float, expression: str) -> Any:
        """Return an expression's series over the two minutes before a moment."""
        bounds = {"start": moment - 120, "end": moment, "step": "1"}
        return self.ask("query_range", query=expression, **bounds)


@dataclass
class Watched:
    """A run, and a moment at which it was in its last generation.

    All questions are about that moment: the run may be over before the last of them is answered.
    """

    run: Run
    moment: float


@pytest.fixture(scope="module")
def prometheus(lab: Lab, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    """One that scrapes the operator each second, as a ServiceMonitor would have it."""
    if (reason := needs.for_prometheus()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("prometheus")
    pod = lab.get("pod", lab.wait_for_operator())
    job = {
        "job_name": "autolfads",
        "scrape_interval": "1s",
        "honor_labels": True,
        "static_configs": [
            {
                "targets": [f"{pod['status']['podIP']}:8080"],
                "labels": {"namespace": lab.namespace},
            }
        ],
    }
    settings = folder / "prometheus.yml"
    settings.write_text(yaml.safe_dump({"scrape_configs": [job]}))
    node = cluster.nodes["node1"]
    address = f"{node.address}:{PORT}"
    command = ["prometheus", f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}"]
    node.daemons.start("prometheus", [*command, f"--web.listen-address={address}"])
    made = Prometheus(address)

    def scrapes() -> bool:
        try:
            return bool(made.now("autolfads_operator_build_info"))
        except OSError:
            return False

    wait_until("the first scrape", scrapes, 60)
    return made


@pytest.fixture(scope="module")
def watched(prometheus: Prometheus, lab: Lab) -> Watched:
    """A run in its third generation, one of whose pods was taken away."""
    run = lab.run("watched", pbt=WATCHED)
    run.wait_for("WorkersReady", seconds=120)
    run.wait_until("its second generation", lambda: run.generation() >= 2)
    lab.kubectl("delete", "pod", run.pods()[0]["metadata"]["name"], "--wait=false")
    run.wait_until("its last generation", lambda: run.generation() >= 3)
    run.wait_until("some of it", lambda: run.epochs() > 4 * 40 + 20)
    return Watched(run, time.time())


METRIC = re.compile(r"\bautolfads_\w+")
SELECTOR = re.compile(r"\bautolfads_\w+(?:\{[^}]*\})?")


def settled(expression: str, run: str) -> str:
    """Put values in the place of a dashboard's variables."""
    for variable, value in {**CHOSEN, "$run": run, "$hyperparameter": ".+"}.items():
        expression = expression.replace(variable, value)
    return expression


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_has_data(
    prometheus: Prometheus, watched: Watched, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    board: Board = BOARDS[name]
    empty, answers = [], []
    for panel, query in board.queries():
        expression = settled(query.expression, watched.run.name)
        found = bool(prometheus.at(watched.moment, expression))
        if " or vector(" in expression:  # which has data whatever stands before it
            metrics = METRIC.findall(expression)
            found = all(prometheus.at(watched.moment, each) for each in metrics)
        of_others = any(each in expression for each in NEEDS_GPU_EXPORTER)
        if not found and not of_others:
            empty.append(f"{panel.title}: {expression}")
        answers.append((panel, query, prometheus.before(watched.moment, expression)))
    draw(board, answers, tmp_path_factory.getbasetemp() / f"dashboard-{name}.png")
    assert empty == []


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_has_values(prometheus: Prometheus, watched: Watched, name: str) -> None:
    for variable, _, query in BOARDS[name].variables:
        metric, label = settled(query, watched.run.name).rsplit(", ", 1)
        values = prometheus.ask(f"label/{label}/values", **{"match[]": metric})
        assert values, variable


def alerts() -> Iterator[tuple[str, str]]:
    words = ("--api-versions=monitoring.coreos.com/v1", "--show-only=templates/rules.yaml")
    text = rendered(*words, monitoring__rules__enabled=True).replace('"lab"', '"autolfads"')
    for rule in yaml.safe_load(text)["spec"]["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]


def looked_at(expression: str) -> Iterator[str]:
    """Yield what an alert looks at, whatever its value, its reason or its stage."""
    for selector in SELECTOR.findall(expression):
        loose = re.sub(r'(?:, )?\b(?:reason|stage)(?:=~|!=|=)"[^"]*"', "", selector)
        yield loose.replace("{, ", "{")


def test_alerts_know_the_reasons_and_stages_that_there_are() -> None:
    named = {"reason": set(vars(Reason).values()), "stage": set(get_args(RunState))}
    for name, text in alerts():
        for label, values in re.findall(r'(reason|stage)(?:=~|!=|=)"([^"]*)"', text):
            assert set(values.split("|")) <= named[label], name


def test_the_run_ends_as_ever(watched: Watched) -> None:
    watched.run.wait_for("Succeeded", seconds=300)
    assert len(watched.run.orders()) == 12


def test_every_alert_looks_at_something(prometheus: Prometheus, watched: Watched) -> None:
    def data(expression: str) -> bool:
        return bool(prometheus.at(watched.moment, expression) or prometheus.now(expression))

    ended = f'autolfads_run_completed_timestamp_seconds{{run="{watched.run.name}"}}'
    wait_until("the end to be scraped", lambda: data(ended), 30)
    nothing = []
    for name, text in alerts():
        prometheus.now(text)  # is understood as a whole
        nothing += [(name, each) for each in looked_at(text) if not data(each)]
    assert nothing == []
