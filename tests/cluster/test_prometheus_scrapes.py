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
# The last generation is still at work when all panels have been looked at.
WATCHED = {"burnInEpochs": 10, "generationEpochs": 60, "maxEpochs": 130}
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
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found


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
def watched(prometheus: Prometheus, lab: Lab) -> Run:
    """A run in its third generation, one of whose pods was taken away."""
    run = lab.run("watched", pbt=WATCHED)
    run.wait_for("WorkersReady", seconds=120)
    run.wait_until("its second generation", lambda: run.generation() >= 2)
    lab.kubectl("delete", "pod", run.pods()[0]["metadata"]["name"], "--wait=false")
    run.wait_until("its last generation", lambda: run.generation() >= 3)
    run.wait_until("some of it", lambda: run.epochs() > 4 * 70 + 20)
    return run


METRIC = re.compile(r"\bautolfads_\w+")
SELECTOR = re.compile(r"\bautolfads_\w+(?:\{[^}]*\})?")


def settled(expression: str, run: str) -> str:
    """Put values in the place of a dashboard's variables."""
    for variable, value in {**CHOSEN, "$run": run, "$hyperparameter": ".+"}.items():
        expression = expression.replace(variable, value)
    return expression


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_has_data(
    prometheus: Prometheus, watched: Run, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    board: Board = BOARDS[name]
    empty, answers = [], []
    for panel, query in board.queries():
        expression = settled(query.expression, watched.name)
        found = prometheus.now(expression)
        if " or vector(" in expression:  # which has data whatever stands before it
            found = all(prometheus.now(each) for each in METRIC.findall(expression))
        of_others = any(each in expression for each in NEEDS_GPU_EXPORTER)
        if not found and not of_others:
            empty.append(f"{panel.title}: {expression}")
        answers.append((panel, query, prometheus.ask("query_range", query=expression, **last())))
    draw(board, answers, tmp_path_factory.getbasetemp() / f"dashboard-{name}.png")
    assert empty == []


def last() -> dict[str, object]:
    """Return the bounds of the last two minutes."""
    return {"start": time.time() - 120, "end": time.time(), "step": "1"}


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_has_values(prometheus: Prometheus, watched: Run, name: str) -> None:
    for variable, _, query in BOARDS[name].variables:
        metric, label = settled(query, watched.name).rsplit(", ", 1)
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


def test_every_alert_looks_at_something(prometheus: Prometheus, watched: Run) -> None:
    nothing = []
    for name, text in alerts():
        prometheus.now(text)  # is understood as a whole
        nothing += [(name, each) for each in looked_at(text) if not prometheus.now(each)]
    assert nothing == []


def test_alerts_know_the_reasons_and_stages_that_there_are() -> None:
    named = {"reason": set(vars(Reason).values()), "stage": set(get_args(RunState))}
    for name, text in alerts():
        for label, values in re.findall(r'(reason|stage)(?:=~|!=|=)"([^"]*)"', text):
            assert set(values.split("|")) <= named[label], name


def test_the_run_ends_as_ever(watched: Run) -> None:
    watched.wait_for("Succeeded", seconds=300)
    assert len(watched.orders()) == 12
