"""The same run as on a laptop, on a real Kubernetes: from `kubectl apply` to the zip."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

import installation
import pytest
import yaml
from lab import Lab, Run
from prometheus_client.parser import text_string_to_metric_families

from autolfads_operator.cluster.metrics.table import (
    ALL_EPOCHS,
    BITS,
    EPOCHS,
    EXPLOITS,
    GENERATION,
    GPU_SECONDS,
    HANDOVER,
    METRICS,
    SCORE,
    STEPS,
    TIME_LEFT,
    Metric,
)


@pytest.fixture(scope="module")
def finished(lab: Lab) -> Run:
    """A run of 4 members in 4 pods on 2 pretended GPUs, that is over."""
    run = lab.run("finished")
    run.wait_for("Succeeded", seconds=240)
    run.wait_until("its workers are gone", lambda: run.status.get("completionTime"))
    return run


def test_the_zip_with_the_rates_is_on_the_volume(finished: Run) -> None:
    with zipfile.ZipFile(finished.folder / "results/autolfads.zip") as results:
        names = {name.split("/")[-1] for name in results.namelist()}
    assert {"fitlog.csv", "model.ckpt", "report.html", "summary.json"} <= names


def test_generations_turned_over_with_orders_as_on_a_laptop(finished: Run, tmp_path) -> None:
    """Cluster and CLI resolve alike and decide alike, from the same manifest."""
    manifest = installation.run("finished")
    del manifest["metadata"]["namespace"]
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(manifest))
    command = [sys.executable, "-m", "autolfads_operator.cli", "run", str(path)]
    command += ["--out", str(tmp_path / "out"), "--device", "cpu", "--workers", "2"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    here = sorted((tmp_path / "out").glob("members/*/gen-*/order.json"))
    assert len(here) == 4 * 5
    on_cluster = finished.orders()
    for order in here:
        assert on_cluster[str(order.relative_to(tmp_path / "out"))] == order.read_text()


def test_each_worker_was_a_pod_that_left_with_0_when_told_that_it_is_over(finished: Run) -> None:
    pods = finished.pods(alive=False)
    assert len(pods) == 4
    codes = [
        pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] for pod in pods
    ]
    assert codes == [0, 0, 0, 0]
    (job,) = finished.jobs()
    assert job["status"]["succeeded"] == 4
    assert not job["status"].get("failedIndexes")


def test_the_pod_that_prepares_takes_no_gpu_and_is_gone(finished: Run) -> None:
    assert finished.jobs("prepare") == []


def test_events_tell_the_story_in_order(finished: Run) -> None:
    reasons = [reason for _, reason, _ in finished.events()]
    story = ["Accepted", "Preparing", "Prepared", "Training", "Exporting", "Ended"]
    assert [reason for reason in reasons if reason in story] == story
    assert reasons.count("WorkersReady") == 1  # before or after Training: one begins at once
    assert {kind for kind, _, _ in finished.events()} == {"Normal"}


def test_columns_are_as_documented(finished: Run) -> None:
    head, line = finished.lab.kubectl("get", "alr", finished.name, "-o", "wide").splitlines()
    columns = "NAME STATE GENERATION BEST MEMBERS WORKERS GPU TIME LEFT AGE"
    assert " ".join(head.split()) == columns
    assert line.split()[:3] == ["finished", "Succeeded", "5"]
    assert float(line.split()[3]) == pytest.approx(float(finished.status["best"]["score"]))


def test_conditions_are_all_there_and_of_this_generation(finished: Run) -> None:
    found = {each["type"]: each["status"] for each in finished.status["conditions"]}
    assert found == {
        "Accepted": "True",
        "DataReady": "True",
        "WorkersReady": "False",
        "Progressing": "False",
        "Suspended": "False",
        "Succeeded": "True",
        "Failed": "False",
    }
    assert {each["observedGeneration"] for each in finished.status["conditions"]} == {1}


def test_nothing_holds_the_object_back(finished: Run) -> None:
    assert not finished.object["metadata"].get("finalizers")


def test_its_folder_says_whose_it_is(finished: Run) -> None:
    owner = json.loads((finished.folder / "owner.json").read_text())
    namespace = finished.lab.plane.get("namespace", "autolfads")
    assert owner["uid"] == finished.uid
    assert owner["namespace"] == "autolfads"
    assert owner["cluster"] == namespace["metadata"]["uid"]


def test_prometheus_is_told_all_that_is_documented(finished: Run) -> None:
    lab = finished.lab
    pod = f"/api/v1/namespaces/{lab.namespace}/pods/{lab.wait_for_operator()}:8080/proxy/metrics"
    families = {
        each.name: each.samples
        for each in text_string_to_metric_families(lab.plane.kubectl("get", "--raw", pod))
    }
    missing = {metric.family for metric in METRICS} - families.keys()
    assert missing <= {TIME_LEFT.family}  # of a run that is over there is none

    def of_run(metric: Metric, **labels: str) -> float:
        labels |= {"namespace": lab.namespace, "run": finished.name}
        (value,) = [
            each.value
            for each in families[metric.family]
            if each.labels == labels and each.name == metric.name
        ]
        return value

    assert of_run(GENERATION) == 5
    assert of_run(EPOCHS) == of_run(ALL_EPOCHS) == 4 * 20
    assert of_run(SCORE, stat="best") == pytest.approx(float(finished.status["best"]["score"]))
    assert of_run(EXPLOITS) == sum('"copied": true' in text for text in finished.orders().values())
    assert of_run(STEPS) > 0
    assert of_run(GPU_SECONDS) > 0
    assert [each for each in families[BITS.family] if each.labels["run"] == finished.name]
    waits = [each for each in families[HANDOVER.family] if each.name.endswith("_count")]
    assert [each.value for each in waits if each.labels["run"] == finished.name] == [4.0]
