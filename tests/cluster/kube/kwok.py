"""Nodes and pods that are pretended: KWOK says what a kubelet would say, and runs nothing."""

from __future__ import annotations

import json
from pathlib import Path

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


def add_pretended_node(plane: ControlPlane, name: str, **room: str) -> None:
    """Add a node, large, that offers `room` besides, as a device plugin does for GPUs."""
    room = {"cpu": "64", "memory": "512Gi", "pods": "250"} | room
    plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        }
    )
    body = json.dumps({"status": {"capacity": room, "allocatable": room}})
    plane.kubectl("patch", "node", name, "--subresource=status", "--type=merge", "-p", body)
