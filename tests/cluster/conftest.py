"""Fixtures: one real cluster, and one control plane without nodes, for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import installation
import pytest
from installation import make_volume, offer_gpus
from kube import needs, oci
from kube.cluster import Cluster
from kube.control_plane import Address, ControlPlane, free_ports
from kube.daemons import Daemons
from lab import LONGER, Lab, Run, install


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the one node there is; all else can go on beside it, in another process."""
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("node")


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


@pytest.fixture(scope="session")
def operator_image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The operator's image, built from `images/`, on the node."""
    if (reason := needs.for_images()) is not None:
        pytest.skip(reason)
    archive = tmp_path_factory.mktemp("images") / "operator.tar"
    oci.build("operator", archive)
    cluster.nodes["node1"].load(archive)
    archive.unlink()


@pytest.fixture(scope="session")
def lab(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A namespace with the operator in it, installed as a user does."""
    made = install(cluster, make_volume(tmp_path_factory.mktemp("volume") / "shared"))
    made.wait_for_operator()
    return made


@pytest.fixture(scope="session")
def undisturbed(lab: Lab) -> Run:
    """The run that those must equal to which something happens."""
    run = lab.run("undisturbed", **LONGER)
    run.wait_for("Succeeded", seconds=240)
    return run
