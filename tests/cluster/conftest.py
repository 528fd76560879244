"""Fixtures: one real cluster, and one control plane without nodes, for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import installation
import machine
from kube import needs
from kube.cluster import Cluster
from kube.control_plane import Address, ControlPlane, free_ports
from kube.daemons import Daemons
from lab import Lab

GPUS = 4  # of two pretended devices, each offered two times


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with the definition of AutoLFADSRun, and nothing that runs."""
    if (reason := needs.for_a_control_plane()) is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("plane")
    daemons = Daemons(folder / "logs")
    control = ControlPlane(folder / "plane", Address("127.0.0.1", free_ports(1)[0]), daemons)
    try:
        control.start()
        control.apply(installation.crd())
        established = "crd/autolfadsruns.autolfads.io", "--for=condition=Established"
        control.kubectl("wait", *established, "--timeout=30s")
        yield control
    finally:
        control.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with one node that runs pods and offers pretended GPUs."""
    if (reason := needs.for_a_node()) is not None:
        pytest.skip(reason)
    whole = Cluster(tmp_path_factory.mktemp("cluster") / "it")
    try:
        whole.start()
        offer_gpus(whole.plane, "node1")
        yield whole
    finally:
        whole.stop()


def offer_gpus(plane: ControlPlane, node: str, count: int = GPUS) -> None:
    """Let a node offer GPUs, as a device plugin does."""
    patch = f'{{"status": {{"capacity": {{"nvidia.com/gpu": "{count}"}}}}}}'
    plane.kubectl("patch", "node", node, "--subresource=status", "--type=merge", f"-p={patch}")


@pytest.fixture(scope="session")
def lab(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A namespace with the operator in it, installed as a user does."""
    volume = installation.make_volume(tmp_path_factory.mktemp("volume") / "shared")
    plane = cluster.plane
    plane.apply(installation.crd())
    namespace, *rest = installation.operator_objects()
    plane.apply(namespace)
    plane.apply(*machine.claims(installation.NAMESPACE), *installation.shared_claim(volume))
    plane.apply(*rest)
    made = Lab(plane, volume, cluster)
    made.wait_for_operator()
    return made
