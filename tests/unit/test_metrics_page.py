"""The page that Prometheus reads, of an operator that has just begun."""

from __future__ import annotations

import time
from pathlib import Path

from cluster_examples import SETTINGS
from prometheus_client.parser import text_string_to_metric_families

from autolfads_operator.cluster.client import Client
from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.metrics.of_operator import LIKELY, OperatorMetrics
from autolfads_operator.cluster.metrics.page import Page
from autolfads_operator.cluster.metrics.table import METRICS
from autolfads_operator.cluster.mirror import Mirror
from autolfads_operator.cluster.operator import Operator
from autolfads_operator.cluster.probes import VolumeWatch
from autolfads_operator.cluster.runs import Runs


def a_page(volume: Path) -> Page:
    client = Client("lab")
    operator = Operator(client, SETTINGS, Mirror(), ClusterFacts(client, "shared"))
    watch = VolumeWatch(volume)
    while watch.size is None:
        time.sleep(0.01)
    return Page(Runs(operator), watch, OperatorMetrics())


def test_without_a_run_all_that_is_the_operators_is_told(tmp_path: Path) -> None:
    page = a_page(tmp_path)
    page.metrics.request("GET", "pods", 200)
    found = {f.name: f.samples for f in text_string_to_metric_families(page.text().decode())}
    expected = {each.family for each in METRICS if "run" not in each.labels}
    assert expected <= found.keys()
    assert found["autolfads_volume_free_bytes"][0].value > 0


def test_errors_that_never_came_are_counted_from_0(tmp_path: Path) -> None:
    """An alert on a series that is not there could not be told from one with a wrong name."""
    page = a_page(tmp_path)
    page.metrics.volume_error("EIO")
    (errors,) = (
        family
        for family in text_string_to_metric_families(page.text().decode())
        if family.name == "autolfads_operator_volume_errors"
    )
    counted = {each.labels["error"]: each.value for each in errors.samples if "_total" in each.name}
    assert counted == dict.fromkeys(LIKELY, 0.0) | {"EIO": 1.0}
