"""`helm install` on a real node, with the real operator image: upgraded and removed in mid-run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import installation
import machine
import processes
import pytest
from installation import make_volume, restricted, values
from kube.cluster import Cluster
from kube.helm import Release
from kube.waiting import wait_until
from lab import Lab, Run
from test_a_run_that_is_disturbed import begun, is_as_if_nothing_happened

NAMESPACE = "helmed"
# The definition is there already, of another installation.
TAKEN_OVER = ("--take-ownership", "--wait", "--timeout=120s")


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared volume."""
    return make_volume(tmp_path_factory.mktemp("helmed") / "volume")


@pytest.fixture(scope="module")
def release(cluster: Cluster, operator_image: None, volume: Path) -> Release:
    """A namespace that enforces *restricted*, with claims and the image, and no chart yet."""
    plane = cluster.plane
    plane.apply(restricted(NAMESPACE))
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


def commands() -> list[str]:
    """Return what the runbooks say to type, once each; what removes comes last."""
    texts = [path.read_text() for path in sorted((machine.ROOT / "docs/runbooks").glob("*.md"))]
    found = dict.fromkeys(re.findall(r"`((?:kubectl|helm) [^`]+)`", "\n".join(texts)))
    return sorted(found, key=lambda command: "delete" in command)


def test_what_the_runbooks_say_to_type_is_understood(helmed: Lab, release: Release) -> None:
    run = helmed.run("looked-after", suspend=True)
    run.wait_for("Suspended")
    meant = {"NAMESPACE": NAMESPACE, "RELEASE": release.name, "RUN": run.name}
    assert len(commands()) > 8
    for command in commands():
        name = re.sub("|".join(meant), lambda word: meant[word[0]], command)
        tool, *words = shlex.split(name)
        if tool == "helm":
            release.done(words[0], *words[2:])
        else:
            answer = helmed.plane.kubectl(*words)
            if words[:2] == ["get", "nodes"]:
                assert answer.split() == ["NAME", "GPU", "node1", str(installation.GPUS)]
    wait_until("the run is gone", lambda: not helmed.get("alr")["items"], 30)


def test_data_are_brought_and_results_fetched_as_the_documents_say(
    helmed: Lab, volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (machine.ROOT / "docs/kubernetes.md").read_text().split("## Data and results")[1]
    block = re.search(r"\n((?:    .*\n)+)", text)
    assert block is not None
    meant = {"-n autolfads": f"-n {NAMESPACE}", "autolfads/files": f"{NAMESPACE}/files"}
    meant |= {"busybox": installation.OPERATOR_IMAGE, "RUNFOLDER": "runs/a/b"}
    said = re.sub("|".join(meant), lambda word: meant[word[0]], block[1])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reaching.h5").write_text("spikes")
    (volume / "data").rmdir()
    results = volume / "runs/a/b/results"
    results.mkdir(parents=True)
    (results / "autolfads.zip").write_text("rates")
    commands = [shlex.split(each) for each in re.split(r"^ +(?=kubectl)", said, flags=re.M)[1:]]
    assert len(commands) == 5
    for _, *words in commands:
        helmed.plane.kubectl(*words)
    assert (volume / "data/reaching.h5").read_text() == "spikes"
    assert (tmp_path / "autolfads.zip").read_text() == "rates"
    helmed.kubectl("delete", "pod", "files", "--grace-period=0", "--force")


def test_a_run_outlives_an_upgrade_and_an_uninstall(
    helmed: Lab, release: Release, undisturbed: Run
) -> None:
    run = begun(helmed, "carried-on")
    (before,) = run.jobs()
    operator = helmed.wait_for_operator()

    workers = [pod["metadata"]["uid"] for pod in run.pods()]
    with processes.held(workers):  # however fast they are, and however slow Helm is
        newer = values(worker__image__tag="2", extraEnv=[{"name": "NEW", "value": "yes"}])
        release.done("upgrade", "--wait", "--timeout=120s", **newer)
        wait_until("another operator", lambda: helmed.operator_pod() not in (None, operator), 60)
        (after,) = run.jobs()
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["metadata"]["generation"] == before["metadata"]["generation"]

        said = release.done("uninstall")
        assert "autolfadsruns.autolfads.io" in said  # it is kept
        wait_until("no operator", lambda: helmed.operator_pod() is None, 60)
        assert run.object["status"]["state"] == "Training"
        assert run.folder.is_dir()
        assert helmed.get("pvc", installation.CLAIM)["status"]["phase"] == "Bound"
        epochs = run.epochs()

    run.wait_until("training goes on without an operator", lambda: run.epochs() > epochs)
    release.done("install", *TAKEN_OVER, **values())
    is_as_if_nothing_happened(run, undisturbed)
