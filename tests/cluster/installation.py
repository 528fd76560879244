"""The operator in a test cluster: `deploy/` as a user applies it, with this machine's Python."""

from __future__ import annotations

import copy
import os
import sys
from pathlib import Path
from typing import Any

import machine
import yaml
from kube.control_plane import ControlPlane
from kube.helm import CHART, as_flags, helm
from kube.images import MACHINE_IMAGE

NAMESPACE = "autolfads"
CLAIM = "autolfads"
OPERATOR_IMAGE = "localhost/autolfads-operator:test"  # as `kube.oci` names it
USER = 10001
GPUS = 4  # of two pretended devices, each offered two times
CRD = machine.ROOT / "crds" / "autolfadsruns.yaml"
DEPLOY = machine.ROOT / "deploy" / "operator.yaml"
WORKER = f"{sys.executable} -m autolfads_trainer.worker"


def crd() -> dict[str, Any]:
    """Return the resource's definition."""
    found: dict[str, Any] = yaml.safe_load(CRD.read_text())
    return found


HEAD = """\
# The operator in a namespace of its own, where its runs are, too, for who does not use Helm:
#   kubectl apply --server-side -f crds/ -f deploy/
# Wants a claim `autolfads` with ReadWriteMany in that namespace, and images (docs/kubernetes.md).
# Made from helm/autolfads-operator by `make chart`: change that, not this.
apiVersion: v1
kind: Namespace
metadata:
  name: autolfads
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


def plain() -> str:
    """Return `deploy/operator.yaml`: what the chart makes, without Helm."""
    release = ["autolfads-operator", str(CHART), f"--namespace={NAMESPACE}", "--skip-tests"]
    flags = as_flags({"crds__enabled": False, "storage__existingClaim": CLAIM})
    done = helm("template", *release, *flags)
    if done.returncode:
        raise RuntimeError(done.stderr)
    lines = [
        line
        for line in done.stdout.splitlines()
        if not line.startswith("# Source:") and "helm.sh/chart" not in line
    ]
    text = "\n".join(line.replace("managed-by: Helm", "managed-by: kubectl") for line in lines)
    return f"{HEAD}{text}\n"


def make_volume(folder: Path) -> Path:
    """Make the folder that is the shared volume."""
    for each in (folder, folder / "data"):
        each.mkdir(parents=True, exist_ok=True)
        os.chown(each, USER, USER)
    return folder


def operator_objects(namespace: str = NAMESPACE, **environment: str) -> list[dict[str, Any]]:
    """Return all of `deploy/`, for a namespace, with a Deployment that runs here."""
    objects = list(yaml.safe_load_all(DEPLOY.read_text()))
    for each in objects:
        if each["kind"] == "Deployment":
            _run_here(each, environment)
        if namespace != NAMESPACE:
            _move(each, namespace)
    return objects


def _move(body: dict[str, Any], namespace: str) -> None:
    """Let an object be of another namespace, as a user does who edits the file."""
    metadata = body["metadata"]
    if "namespace" in metadata:
        metadata["namespace"] = namespace
    elif body["kind"] == "Namespace":
        metadata["name"] = namespace
    elif body["kind"] == "ClusterRoleBinding":
        metadata["name"] += f"-{namespace}"
    for subject in body.get("subjects", []):
        subject["namespace"] = namespace
    for rule in body.get("rules") or []:
        if "resourceNames" in rule:
            rule["resourceNames"] = [namespace]


def offer_gpus(plane: ControlPlane, node: str, count: int = GPUS) -> None:
    """Let a node offer GPUs, as a device plugin does."""
    patch = f'{{"status": {{"capacity": {{"nvidia.com/gpu": "{count}"}}}}}}'
    plane.kubectl("patch", "node", node, "--subresource=status", "--type=merge", f"-p={patch}")


def _run_here(deployment: dict[str, Any], environment: dict[str, str]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    container["image"] = MACHINE_IMAGE
    container["command"] = [sys.executable, "-m", "autolfads_operator.cli"]
    settings = {
        "AUTOLFADS_OPERATOR_IMAGE": MACHINE_IMAGE,
        "AUTOLFADS_OPERATOR_WORKER_COMMAND": WORKER,
        "AUTOLFADS_OPERATOR_GPU_DEVICE": "auto",  # the GPUs here are pretended
        **environment,
    }
    kept = [each for each in container["env"] if each["name"] not in settings]
    container["env"] = kept + [{"name": key, "value": value} for key, value in settings.items()]
    container["volumeMounts"] += machine.mounts()
    pod["volumes"] += machine.volumes()


def values(**more: Any) -> dict[str, Any]:
    """Return the chart's values for the operator's image as it is built here.

    Workers use this machine's Python by read-only claims.
    """
    repository, tag = MACHINE_IMAGE.split(":")
    return {
        "image__repository": OPERATOR_IMAGE.split(":", maxsplit=1)[0],
        "image__tag": OPERATOR_IMAGE.split(":")[1],
        "worker__image__repository": repository,
        "worker__image__tag": tag,
        "worker__command": WORKER,
        "worker__gpuDevice": "auto",  # the GPUs here are pretended
        "storage__existingClaim": CLAIM,
        **more,
    }


def restricted(namespace: str) -> dict[str, Any]:
    """Return a namespace that enforces Pod Security *restricted*."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def pod_template() -> dict[str, Any]:
    """Return the `podTemplate` of runs whose workers run here."""
    return {"volumes": machine.volumes(), "volumeMounts": machine.mounts()}


def run(name: str, namespace: str = NAMESPACE, /, **spec: Any) -> dict[str, Any]:
    """Return an AutoLFADSRun that trains for real, and is over within two minutes."""
    base: dict[str, Any] = {
        "data": {"generate": {"problem": "lorenz", "conditions": 4, "trials": 6, "channels": 10}},
        "config": {"model": SMALL},
        "population": 4,
        "seed": 1,
        "pbt": {"generationEpochs": 4, "burnInEpochs": 4, "maxEpochs": 20, "searchSpace": SPACE},
        "workers": {
            "count": 4,
            "resources": {"cpu": "300m", "memory": "1Gi"},
            "podTemplate": pod_template(),
        },
        "export": {"posteriorSamples": 2},
    }
    return {
        "apiVersion": "autolfads.io/v1alpha1",
        "kind": "AutoLFADSRun",
        "metadata": {"name": name, "namespace": namespace},
        "spec": _laid_over(base, spec),
    }


SMALL = {
    **dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim"), 6),
    **{"gen_dim": 16, "fac_dim": 6, "co_dim": 1},
}
SPACE = {"model.lr_init": {"min": 1e-4, "max": 1e-2, "init": 4e-3}}


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(below)
    for key, value in above.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = _laid_over(inner, value) if both and key != "data" else value
    return merged
