"""Helm and what checks charts, and the definitions of Prometheus Operator's objects."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kube.build import HELM, binaries, download
from kube.control_plane import ControlPlane

CHART = Path(__file__).resolve().parents[3] / "helm" / "autolfads-operator"
PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
MONITORS = ("servicemonitors", "podmonitors", "prometheusrules")


def monitor_definitions() -> list[Path]:
    """Return the definitions of ServiceMonitor, PodMonitor and PrometheusRule."""
    folder = download(PROMETHEUS_OPERATOR) / "example" / "prometheus-operator-crd"
    return [folder / f"monitoring.coreos.com_{name}.yaml" for name in MONITORS]


def helm(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Helm with settings of its own; the answer may be a failure."""
    with tempfile.TemporaryDirectory(prefix="autolfads-helm-") as home:
        own = {f"HELM_{name}_HOME": home for name in ("CACHE", "CONFIG", "DATA")}
        return subprocess.run(
            [str(binaries(HELM) / "helm"), *words],
            env=os.environ | own | environment,
            capture_output=True,
            text=True,
            check=False,
        )


def rendered(*words: str, **values: object) -> str:
    """Return what the chart makes of some values. Raises `RuntimeError` with Helm's words."""
    done = helm("template", "lab", str(CHART), "--namespace=lab", *words, *as_flags(values))
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def as_flags(values: dict[str, object]) -> list[str]:
    """Return values (`a__b=1` for `a.b`) as Helm takes them."""
    return [f"--set-json={name.replace('__', '.')}={json.dumps(v)}" for name, v in values.items()]


@dataclass
class Release:
    """A release in a cluster."""

    plane: ControlPlane
    name: str
    namespace: str

    def do(self, verb: str, *words: str, **values: object) -> subprocess.CompletedProcess[str]:
        """Install, upgrade, test or uninstall it; the answer may be a failure."""
        where = [self.name, f"--namespace={self.namespace}", *words]
        if verb in ("install", "upgrade"):
            where.insert(1, str(CHART))
        return helm(verb, *where, *as_flags(values), KUBECONFIG=str(self.plane.kubeconfig))

    def done(self, verb: str, *words: str, **values: object) -> str:
        """The same; return what Helm says. Raises `RuntimeError` where it fails."""
        answer = self.do(verb, *words, **values)
        if answer.returncode:
            raise RuntimeError(f"helm {verb}: {answer.stdout}{answer.stderr}")
        return answer.stdout
