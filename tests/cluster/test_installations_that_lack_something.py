"""What an installation lacks is said where its maker looks: `helm test`, conditions, `describe`.

In a second namespace of the cluster, beside the first one's operator, which must not notice.
"""

from __future__ import annotations

from collections.abc import Iterator

import machine
import pytest
from installation import CLAIM, make_volume, offer_gpus, restricted, values
from kube.cluster import Cluster
from kube.helm import Release
from kube.waiting import wait_until
from lab import Lab

NAMESPACE, SINGLE = "lacking", "single"
INSTALLED = ("--wait", "--timeout=120s")


@pytest.fixture(scope="module")
def lacking(
    cluster: Cluster, operator_image: None, tmp_path_factory: pytest.TempPathFactory
) -> Lab:
    """A namespace with two claims, of which one is for a single node."""
    plane = cluster.plane
    volume = make_volume(tmp_path_factory.mktemp("lacking") / "volume")
    plane.apply(restricted(NAMESPACE), *machine.claims(NAMESPACE))
    plane.apply(*machine.volume_and_claim(CLAIM, volume, NAMESPACE))
    other = make_volume(volume.with_name("single"))
    plane.apply(*machine.volume_and_claim(SINGLE, other, NAMESPACE, "ReadWriteOnce"))
    return Lab(plane, volume, cluster, NAMESPACE)


@pytest.fixture
def release(lab: Lab, lacking: Lab) -> Iterator[Release]:
    """A release that is not installed yet, while another namespace has an operator at work."""
    there = lab.wait_for_operator()
    made = Release(lacking.plane, "second", NAMESPACE)
    yield made
    made.do("uninstall", "--wait")
    assert lab.operator_pod() == there


@pytest.fixture
def without_gpus(lab: Lab) -> Iterator[None]:
    offer_gpus(lab.plane, "node1", 0)
    yield
    offer_gpus(lab.plane, "node1")


def second(**more: object) -> dict[str, object]:
    """Return values of a release in a cluster that has the definition already."""
    return values(crds__enabled=False, **more)


def test_a_claim_for_a_single_node(lacking: Lab, release: Release) -> None:
    said = release.done("install", *INSTALLED, **second(storage__existingClaim=SINGLE))
    assert "WRONG CLAIM: single has ReadWriteOnce; expected ReadWriteMany" in said
    lacking.wait_for_operator()
    tested = release.do("test", "--logs", "--timeout=60s")
    assert tested.returncode != 0
    words = "the PersistentVolumeClaim single has ReadWriteOnce; expected ReadWriteMany"
    assert f"WRONG  {words}" in tested.stdout
    run = lacking.run("not-shared")
    assert words in run.wait_for("Accepted", "False", "ClaimNotShared", 15)
    run.delete()


@pytest.mark.usefixtures("without_gpus")
def test_no_node_with_a_gpu(lacking: Lab, release: Release) -> None:
    release.done("install", *INSTALLED, **second())
    said = release.done("test", "--logs", "--timeout=60s")
    assert "no node offers a GPU now: install the device plugin" in said
    run = lacking.run("no-gpu")
    said = run.wait_for("WorkersReady", "False", "NoSuchResource")
    assert "no node offers nvidia.com/gpu" in said
    run.delete()


def test_an_operator_that_may_not_read_nodes(
    lab: Lab, lacking: Lab, release: Release, without_gpus: None
) -> None:
    release.done("install", *INSTALLED, **second(rbac__readNodes=False))
    said = release.done("test", "--logs", "--timeout=60s")
    assert (
        "GPUs were not looked for: nodes could not be looked at (rbac.readNodes of the chart)"
        in said
    )
    run = lacking.run("unread")
    said = run.wait_for("WorkersReady", "False", "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in said
    assert "nodes could not be looked at (rbac.readNodes of the chart)" in said
    offer_gpus(lab.plane, "node1")
    run.wait_for("WorkersReady")
    run.delete()


def test_an_image_that_cannot_be_pulled(lacking: Lab, release: Release) -> None:
    said = release.done("install", **second(image__tag="nowhere"))
    described = "describe", "pods", "--selector=app.kubernetes.io/instance=second"
    assert f"kubectl describe -n {NAMESPACE} pods {described[-1]}" in said
    found = wait_until(
        "why there is no operator",
        lambda: (said := lacking.kubectl(*described)) and "Failed to pull image" in said and said,
        60,
    )
    assert 'Failed to pull image "localhost/autolfads-operator:nowhere"' in found


def test_a_claim_that_is_missing(lacking: Lab, release: Release) -> None:
    said = release.done("install", **second(storage__existingClaim="nowhere"))
    assert f"NO CLAIM: there is no PersistentVolumeClaim nowhere in namespace {NAMESPACE}" in said
    tested = release.do("test", "--logs", "--timeout=60s")
    assert tested.returncode != 0
    assert "WRONG  no PersistentVolumeClaim nowhere in this namespace" in tested.stdout
    described = "describe", "pods", "--selector=app.kubernetes.io/instance=second"
    words = 'persistentvolumeclaim "nowhere" not found'
    wait_until("why", lambda: words in lacking.kubectl(*described), 30)


def test_a_release_without_the_definition_says_who_makes_it(release: Release) -> None:
    said = release.done("install", **second())
    assert "The definition of AutoLFADSRun was left out (crds.enabled=false)" in said
