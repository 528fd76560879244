"""Nodes and pods that are pretended: KWOK says what a kubelet would say, and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kube.build import KWOK, binaries
from kube.control_plane import ControlPlane

STAGES = Path(__file__).with_name("stages.yaml")


def start_kwok(plane: ControlPlane) -> None:
    """Start KWOK beside a control plane: it looks after every node that is there."""
    command = [
        binaries(KWOK) / "kwok",
        f"--kubeconfig={plane.kubeconfig}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        f"--config={STAGES}",
        "--server-address=",
    ]
    plane.daemons.start("kwok", command)


def pretended_node(name: str, gpus: int = 0, **labels: str) -> dict[str, Any]:
    """Return a Node for `ControlPlane.apply`, large, with GPUs as a device plugin offers them."""
    room = {"cpu": "64", "memory": "512Gi", "pods": "250"}
    if gpus:
        room["nvidia.com/gpu"] = str(gpus)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "status": {"capacity": room, "allocatable": room},
    }
