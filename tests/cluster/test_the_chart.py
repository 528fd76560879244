"""The Helm chart: every branch of its templates, as an API server and Prometheus take it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import installation
import pytest
import schemas
import yaml
from kube import needs
from kube.build import HELM_DOCS, HELM_UNITTEST, KUBECONFORM, binaries
from kube.control_plane import ControlPlane
from kube.helm import CHART, helm, monitor_definitions, rendered
from markdown_documents import document

from autolfads_operator import __version__
from autolfads_operator.api import Gpu, Workers

ROOT = CHART.parents[1]
EVERYTHING = {
    "monitoring__serviceMonitor__enabled": True,
    "monitoring__rules__enabled": True,
    "monitoring__dashboards__enabled": True,
    "networkPolicy__enabled": True,
    "tests__worker": True,
}
# Each branch of the templates is in one of these.
VARIATIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "everything": EVERYTHING,
    "as little as can be": {
        "crds__enabled": False,
        "rbac__create": False,
        "serviceAccount__create": False,
        "serviceAccount__name": "default",
        "storage__existingClaim": "shared",
    },
    "a claim of its own": {
        "storage__name": "data",
        "storage__storageClassName": "efs",
        "storage__volumeName": "v",
        "storage__annotations": {"a": "b"},
        "storage__keep": False,
        "crds__keep": False,
    },
    "no class": {"storage__storageClassName": "-"},
    "pods with everything": {
        "imagePullSecrets": [{"name": "key"}],
        "priorityClassName": "system-cluster-critical",
        "nodeSelector": {"a": "b"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podAnnotations": {"a": "b"},
        "podLabels": {"a": "b"},
        "commonLabels": {"c": "d"},
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraVolumes": [{"name": "x", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
        "operator__cluster": "west",
        "serviceAccount__annotations": {"eks.amazonaws.com/role-arn": "arn"},
    },
    "scraped by its pods": {"monitoring__podMonitor__enabled": True},
    "bounded network": {
        "networkPolicy__enabled": True,
        "networkPolicy__apiServerCIDR": "10.0.0.1/32",
        "networkPolicy__metricsFrom": [{"namespaceSelector": {}}],
    },
}
MONITORING = "--api-versions=monitoring.coreos.com/v1"


@pytest.fixture(scope="module")
def knows_monitors(plane: ControlPlane) -> ControlPlane:
    """An API server that knows Prometheus Operator's objects, with a namespace for the chart."""
    for path in monitor_definitions():
        plane.kubectl("apply", "--server-side", "-f", str(path))
        name = yaml.safe_load(path.read_text())["metadata"]["name"]
        plane.kubectl("wait", f"crd/{name}", "--for=condition=Established", "--timeout=30s")
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}})
    # A pod is asked for in a dry run, too, whether there is its account.
    account = {"name": "lab-autolfads-operator", "namespace": "lab"}
    plane.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    return plane


@pytest.fixture(scope="module")
def places(knows_monitors: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Schemas of everything that this API server knows."""
    folder = tmp_path_factory.mktemp("schemas")
    schemas.write(knows_monitors, folder)
    return folder


def test_helm_finds_nothing_to_say_against_it() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_branch_does_what_its_suite_says(tmp_path: Path) -> None:
    unittest = str(binaries(HELM_UNITTEST) / "helm-unittest")
    done = subprocess.run([unittest, str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Tests:" in done.stdout


@pytest.mark.parametrize("name", VARIATIONS)
def test_the_api_server_takes_every_variation(knows_monitors: ControlPlane, name: str) -> None:
    text = rendered(MONITORING, **VARIATIONS[name])
    words = ("apply", "--dry-run=server", "--server-side", "--force-conflicts", "-f", "-")
    said = knows_monitors.kubectl(*words, text=text)
    made = [each for each in yaml.safe_load_all(text) if each]
    assert len(said.splitlines()) == len(made)


@pytest.mark.parametrize("name", VARIATIONS)
def test_every_variation_is_of_the_schemas(places: Path, name: str, tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(rendered(MONITORING, **VARIATIONS[name]))
    where = f"{places}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [str(binaries(KUBECONFORM) / "kubeconform"), "-strict", "-schema-location", where]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_definition_is_that_of_the_repository() -> None:
    assert (CHART / "files/autolfadsruns.yaml").read_bytes() == installation.CRD.read_bytes()
    found = [
        each
        for each in yaml.safe_load_all(rendered())
        if each and each["kind"] == "CustomResourceDefinition"
    ]
    assert [each["spec"] for each in found] == [installation.crd()["spec"]]


def test_the_chart_is_of_this_version() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] == __version__


def test_the_table_of_values_is_up_to_date() -> None:
    command = [str(binaries(HELM_DOCS) / "helm-docs"), "--dry-run", f"--chart-search-root={CHART}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (CHART / "README.md").read_text().strip(), "run `make chart`"


def leaves(values: dict[str, Any], schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Yield values that the schema does not know, and those that it lets anything be."""
    for key, value in values.items():
        place = f"{at}.{key}" if at else key
        if key not in schema["properties"]:
            yield f"{place}: not in the schema"
        elif isinstance(value, dict) and value and "properties" in schema["properties"][key]:
            yield from leaves(value, schema["properties"][key], place)
    for key in schema["properties"]:
        if key not in values and key != "global":
            yield f"{at}.{key}: not in values.yaml"


def test_values_and_their_schema_agree() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert list(leaves(values, schema)) == []


def test_deploy_is_what_the_chart_makes() -> None:
    """For who does not use Helm."""
    assert installation.DEPLOY.read_text() == installation.plain(), "run `make chart`"


DOCUMENTS = ("docs/kubernetes.md", "docs/eks.md", "helm/autolfads-operator/README.md")


def helm_commands() -> Iterator[list[str]]:
    """Yield the words of every `helm install` and `helm upgrade` that the documents tell."""
    for name in DOCUMENTS:
        text = (ROOT / name).read_text().replace("\\\n", " ")
        for line in text.splitlines():
            words = shlex.split(line) if line.strip().startswith(("helm inst", "helm upg")) else []
            if words:
                yield words


@pytest.mark.parametrize("words", list(helm_commands()), ids=" ".join)
def test_what_the_documents_say_to_helm_is_understood(words: list[str]) -> None:
    settings = [word for word in words[4:] if not word.endswith("-reuse-values")]
    done = helm("template", words[2], str(ROOT / words[3]), *settings)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", document("docs/eks.md").blocks("yaml"))
def test_what_the_documents_say_of_eks_is_of_its_kind(plane: ControlPlane, block: str) -> None:
    said = yaml.safe_load(block)
    if said.get("kind") == "StorageClass":
        plane.kubectl("apply", "--dry-run=server", "-f", "-", text=block)
    elif "config" in said:  # of the device plugin: two workers to a GPU, as a run asks for one
        for settings in said["config"]["map"].values():
            (shared,) = yaml.safe_load(settings)["sharing"]["timeSlicing"]["resources"]
            assert shared == {"name": Gpu().resource, "replicas": Workers().per_gpu}
    else:
        assert said["kind"] == "ClusterConfig"


def test_what_the_documents_say_of_bottlerocket_is_two_workers_to_a_gpu() -> None:
    (block,) = document("docs/eks.md").blocks("toml")
    plugin = tomllib.loads(block)["settings"]["kubelet-device-plugins"]["nvidia"]
    assert plugin["device-sharing-strategy"] == "time-slicing"
    assert plugin["time-slicing"]["replicas"] == Workers().per_gpu
    assert plugin["time-slicing"]["rename-by-default"] is False


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart's alerts as a file for promtool."""
    if (reason := needs.for_prometheus()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("rules")
    text = rendered(MONITORING, "--show-only=templates/rules.yaml", monitoring__rules__enabled=True)
    (folder / "whole.yml").write_text(yaml.safe_dump(yaml.safe_load(text)["spec"]))
    spec = yaml.safe_load(text)["spec"]
    for rule in spec["groups"][0]["rules"]:
        del rule["annotations"]
    (folder / "rules.yml").write_text(yaml.safe_dump(spec))
    shutil.copy(ROOT / "monitoring/alerts_test.yaml", folder)
    return folder


def promtool(*words: object) -> str:
    done = subprocess.run(
        ["promtool", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_understands_the_alerts(rules: Path) -> None:
    assert "11 rules found" in promtool("check", "rules", rules / "whole.yml")


def test_each_alert_fires_when_it_must_and_not_otherwise(rules: Path) -> None:
    promtool("test", "rules", rules / "alerts_test.yaml")
    told = yaml.safe_load((rules / "alerts_test.yaml").read_text())["tests"]
    fires, calm = set(), set()
    for case in told:
        for alert in case["alert_rule_test"]:
            (fires if alert["exp_alerts"] else calm).add(alert["alertname"])
    spec = yaml.safe_load((rules / "whole.yml").read_text())
    assert {rule["alert"] for rule in spec["groups"][0]["rules"]} == fires == calm


def test_each_alert_has_a_runbook(rules: Path) -> None:
    spec = yaml.safe_load((rules / "whole.yml").read_text())
    found = {rule["annotations"]["runbook_url"] for rule in spec["groups"][0]["rules"]}
    assert found == {f"docs/runbooks/{path.name}" for path in (ROOT / "docs/runbooks").iterdir()}
