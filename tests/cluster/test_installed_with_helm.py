"""`helm install` on a real node, with the real operator image: upgraded and removed in mid-run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import installation
import machine
import pytest
from installation import make_volume
from kube import needs, oci
from kube.cluster import Cluster
from kube.helm import Release
from kube.images import MACHINE_IMAGE
from kube.waiting import wait_until
from lab import Lab, Run
from test_a_run_that_is_disturbed import begun, is_as_if_nothing_happened

NAMESPACE = "helmed"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
# The definition is there already, of another installation.
TAKEN_OVER = ("--take-ownership", "--wait", "--timeout=120s")


def values(**more: Any) -> dict[str, Any]:
    """Return values for images that no registry has, and for workers that use this machine's
    Python by a read-only claim."""
    repository, tag = MACHINE_IMAGE.split(":")
    return {
        "image__repository": "localhost/autolfads-operator",
        "image__tag": "test",
        "worker__image__repository": repository,
        "worker__image__tag": tag,
        "worker__command": f"{sys.executable} -m autolfads_trainer.worker",
        "worker__gpuDevice": "auto",  # the GPUs here are pretended
        "storage__existingClaim": installation.CLAIM,
        **more,
    }


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared volume."""
    return make_volume(tmp_path_factory.mktemp("helmed") / "volume")


@pytest.fixture(scope="module")
def release(cluster: Cluster, volume: Path) -> Release:
    """A namespace that enforces *restricted*, with claims and the image, and no chart yet."""
    if (reason := needs.for_images()) is not None:
        pytest.skip(reason)
    archive = volume.with_name("operator.tar")
    oci.build("operator", archive)
    cluster.nodes["node1"].load(archive)
    archive.unlink()
    plane = cluster.plane
    namespace = {"name": NAMESPACE, "labels": RESTRICTED}
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
    shared = machine.volume_and_claim(installation.CLAIM, volume, NAMESPACE)
    plane.apply(*machine.claims(NAMESPACE), *shared)
    return Release(plane, "lab", NAMESPACE)


@pytest.fixture(scope="module")
def helmed(cluster: Cluster, release: Release, volume: Path) -> Iterator[Lab]:
    release.done("install", *TAKEN_OVER, **values())
    lab = Lab(release.plane, volume, cluster, NAMESPACE)
    lab.wait_for_operator()
    yield lab
    release.done("uninstall", "--wait")  # the node's processors are for others, too


def test_before_anything_is_installed_the_install_says_what_is_wrong(release: Release) -> None:
    done = release.do("install", **values(storage__existingClam="x"))
    assert done.returncode != 0
    assert "existingClam" in done.stderr


def test_helm_test_passes_and_tells_what_there_is(helmed: Lab, release: Release) -> None:
    said = release.done("test", "--logs", "--timeout=60s")
    assert "AutoLFADSRun is defined" in said
    assert f"the claim {installation.CLAIM} is ReadWriteMany" in said
    assert "looks after namespace helmed" in said
    assert "4 × nvidia.com/gpu" in said


def test_a_run_outlives_an_upgrade_and_an_uninstall(
    helmed: Lab, release: Release, undisturbed: Run
) -> None:
    run = begun(helmed, "carried-on")
    (before,) = run.jobs()
    operator = helmed.wait_for_operator()

    newer = values(worker__image__tag="2", extraEnv=[{"name": "NEW", "value": "yes"}])
    release.done("upgrade", "--wait", "--timeout=120s", **newer)
    wait_until("another operator", lambda: helmed.operator_pod() not in (None, operator), 60)
    (after,) = run.jobs()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]

    said = release.done("uninstall")
    assert "autolfadsruns.autolfads.io" in said  # it is kept
    wait_until("no operator", lambda: helmed.operator_pod() is None, 60)
    assert run.object["status"]["state"] in ("Training", "Exporting")
    assert run.folder.is_dir()
    assert helmed.get("pvc", installation.CLAIM)["status"]["phase"] == "Bound"

    release.done("install", *TAKEN_OVER, **values())
    is_as_if_nothing_happened(run, undisturbed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"storage__existingClaim": "nowhere"}, 'persistentvolumeclaim "nowhere" not found')],
)
def test_what_is_wrong_with_an_installation_is_seen(
    helmed: Lab, release: Release, changes: dict[str, Any], words: str
) -> None:
    second = Release(release.plane, "second", NAMESPACE)
    second.done("install", **values(crds__enabled=False, **changes))
    try:
        pods = "--selector=app.kubernetes.io/instance=second"
        wait_until("why", lambda: words in helmed.kubectl("describe", "pods", pods), 30)
    finally:
        second.done("uninstall")
