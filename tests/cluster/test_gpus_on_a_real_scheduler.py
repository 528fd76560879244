"""Each way of sharing GPUs: what the API server takes, and where the scheduler puts it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from kube.control_plane import ControlPlane
from kube.kwok import add_pretended_node, start_kwok
from kube.waiting import wait_until
from machine import volume_and_claim

from autolfads_operator.api import RunSpec
from autolfads_operator.cluster.children.claims import resource_claims
from autolfads_operator.cluster.children.jobs import worker_jobs
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.settings import OperatorSettings

NAMESPACE = "gpus"
SETTINGS = OperatorSettings(NAMESPACE, Path("/x"), "autolfads", "image:1", "cluster", "me")


@pytest.fixture(scope="module")
def gpus(plane: ControlPlane) -> ControlPlane:
    """Two pretended nodes of two GPUs each, offered two times, and two devices of DRA each."""
    start_kwok(plane)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": NAMESPACE, "labels": labels},
        },
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "DeviceClass",
            "metadata": {"name": "gpu.nvidia.com"},
            "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}]},
        },
    )
    for name in ("gpu-a", "gpu-b"):
        resources = ("nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.18gb")
        add_pretended_node(plane, name, **dict.fromkeys(resources, "4"))
        plane.apply(devices(name))
    plane.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")
    plane.apply(*volume_and_claim("autolfads", Path("/tmp"), NAMESPACE))
    return plane


def devices(node: str) -> dict[str, Any]:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": f"{node}-gpus"},
        "spec": {
            "driver": "gpu.nvidia.com",
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "gpu-0"}, {"name": "gpu-1"}],
        },
    }


def run(plane: ControlPlane, sharing: str, **gpu: str) -> RunObject:
    """Make a run's object, which owns what is made for it, and return it."""
    name = f"run-{sharing.lower()}" + ("-renamed" if gpu.get("resource") else "")
    spec = {"data": {"path": "a.h5"}, "workers": {"gpu": {"sharing": sharing, **gpu}}}
    plane.apply(
        {
            "apiVersion": "autolfads.io/v1alpha1",
            "kind": "AutoLFADSRun",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": spec,
        }
    )
    body = plane.get(f"--namespace={NAMESPACE}", "alr", name)
    return RunObject(
        name=name,
        namespace=NAMESPACE,
        uid=body["metadata"]["uid"],
        generation=1,
        labels={},
        spec=RunSpec.model_validate(spec),
        status={},
        created="",
        deleting=False,
    )


def pods(plane: ControlPlane, of: RunObject) -> list[dict[str, Any]]:
    selector = f"--selector=autolfads.io/run-uid={of.uid}"
    return list(plane.get(f"--namespace={NAMESPACE}", "pods", selector)["items"])


def placed(plane: ControlPlane, of: RunObject) -> list[str]:
    """Return the nodes that took pods."""
    return [pod["spec"]["nodeName"] for pod in pods(plane, of) if pod["spec"].get("nodeName")]


def start(plane: ControlPlane, of: RunObject, count: int) -> None:
    plane.apply(*resource_claims(of, count), *worker_jobs(of, SETTINGS, count))
    wait_until("its pods", lambda: len(pods(plane, of)) == count, 30)


@pytest.mark.parametrize(
    ("sharing", "gpu"),
    [
        ("timeSlicing", {}),
        ("timeSlicing", {"resource": "nvidia.com/gpu.shared"}),
        ("mps", {}),
        ("mig", {"profile": "1g.18gb"}),
        ("exclusive", {}),
    ],
)
def test_two_workers_to_a_gpu_and_no_more(
    gpus: ControlPlane, sharing: str, gpu: dict[str, str]
) -> None:
    """Two nodes of two GPUs, offered two times each: eight workers run, and the ninth waits."""
    of = run(gpus, sharing, **gpu)
    start(gpus, of, 9)
    wait_until("eight are placed", lambda: len(placed(gpus, of)) == 8, 30)
    assert Counter(placed(gpus, of)) == {"gpu-a": 4, "gpu-b": 4}
    (waiting,) = [pod for pod in pods(gpus, of) if not pod["spec"].get("nodeName")]
    asked = next(iter(waiting["spec"]["containers"][0]["resources"]["limits"].keys() - CPU))

    def why() -> str:
        conditions = waiting_now()["status"].get("conditions", [])
        return " ".join(each.get("message", "") for each in conditions)

    def waiting_now() -> dict[str, Any]:
        name = waiting["metadata"]["name"]
        return dict(gpus.get(f"--namespace={NAMESPACE}", "pod", name))

    wait_until("the scheduler's word", lambda: f"Insufficient {asked}" in why(), 30)
    remove(gpus, of)


CPU = {"cpu", "memory"}


def test_without_a_gpu_no_gpu_is_asked_for(gpus: ControlPlane) -> None:
    of = run(gpus, "none")
    start(gpus, of, 12)
    wait_until("all are placed", lambda: len(placed(gpus, of)) == 12, 30)
    limits = pods(gpus, of)[0]["spec"]["containers"][0]["resources"]["limits"]
    assert limits.keys() == CPU
    remove(gpus, of)


def test_dra_puts_pairs_on_one_device_each(gpus: ControlPlane) -> None:
    of = run(gpus, "dra")
    start(gpus, of, 8)
    wait_until("all are placed", lambda: len(placed(gpus, of)) == 8, 60)
    claims = gpus.get(f"--namespace={NAMESPACE}", "resourceclaims")["items"]
    assert len(claims) == 4
    at: set[tuple[str, str]] = set()
    for claim in claims:
        assert len(claim["status"]["reservedFor"]) == 2
        (device,) = claim["status"]["allocation"]["devices"]["results"]
        at.add((device["pool"], device["device"]))
    assert len(at) == 4
    nodes = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in pods(gpus, of)}
    for claim in claims:
        pair = {nodes[each["name"]] for each in claim["status"]["reservedFor"]}
        assert len(pair) == 1
    remove(gpus, of)


def remove(plane: ControlPlane, of: RunObject) -> None:
    """Delete the run: everything goes with it."""
    plane.kubectl(f"--namespace={NAMESPACE}", "delete", "alr", of.name)
    wait_until("all of it is gone", lambda: not pods(plane, of), 60)
