"""A whole cluster: a control plane and a node that runs real pods, and further nodes to lose."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from kube import kernel
from kube.control_plane import Address, ControlPlane
from kube.daemons import Daemons
from kube.images import write_images
from kube.node import CABLE, Node
from kube.waiting import wait_until

PORT = 6443


class Cluster:
    """A running cluster; its files lie in `folder`, which must not exist yet."""

    def __init__(self, folder: Path) -> None:
        if Path("/sys/class/net", CABLE).exists():
            raise RuntimeError("another test cluster runs on this machine: `python -m kube stop`")
        folder.mkdir(parents=True)
        self.folder, self._before = folder, kernel.settings()
        self.nodes: dict[str, Node] = {}
        self.images = write_images(folder / "images")
        first = Node(1, folder)
        self.nodes[first.name] = first
        first.plug_into_machine()
        daemons = Daemons(folder / "logs", first.namespaces.entering)
        self.plane = ControlPlane(folder / "plane", Address(first.address, PORT), daemons)
        note = {"init": first.namespaces.init, "before": self._before}
        (folder / "cluster.json").write_text(json.dumps(note))

    def start(self) -> None:
        """Start all, and return when the node is ready for pods."""
        first = self.nodes["node1"]
        self.plane.start()
        first.start(self.plane.credentials, self.images)
        self._wait_for_node(first)

    def add_node(self) -> Node:
        """Start a further node, and return it when it is ready for pods."""
        number = next(each for each in range(2, 10) if f"node{each}" not in self.nodes)
        shutil.rmtree(self.folder / f"node{number}", ignore_errors=True)
        node = Node(number, self.folder)
        self.nodes[node.name] = node
        node.plug_into(self.nodes["node1"])
        node.start(self.plane.credentials, self.images)
        self._wait_for_node(node)
        return node

    def lose_node(self, name: str) -> None:
        """Take a node away without notice; the cluster is not told."""
        self.nodes.pop(name).lose()

    def _wait_for_node(self, node: Node) -> None:
        ready = '{.status.conditions[?(@.type=="Ready")].status}{.spec.taints}'
        words = ("get", "node", node.name, f"--output=jsonpath={ready}")
        node.daemons.wait_for(
            "kubelet",
            f"{node.name} ready for pods",
            lambda: self.plane.try_kubectl(*words).stdout == "True",
            60,
        )

    def stop(self) -> None:
        """Take everything down at once: pods have no time to say good-bye."""
        for node in reversed(self.nodes.values()):
            node.lose()
        self.nodes.clear()
        wait_until("the cable is gone", lambda: not Path("/sys/class/net", CABLE).exists(), 10)
        kernel.put_back(self._before)
