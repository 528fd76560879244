"""The shared volume hangs, fills up, goes read-only: runs wait and say so, the operator lives."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from installation import make_volume
from kube.cluster import Cluster
from kube.waiting import wait_until
from lab import LONGER, Lab, Run, install
from mounts import NO_SPACE, PROGRAM, READ_ONLY, need_fuse

# Two of them at a time have a place on the node.
TWO_WORKERS = {**LONGER, "workers": {"count": 2}}


class Faulty:
    """A laboratory on a volume that does wrong what it is told."""

    def __init__(self, lab: Lab, rules: Path) -> None:
        self.lab, self._rules, self._version = lab, rules, 0

    def do(self, *rules: dict[str, Any]) -> None:
        """Meet these rules from now on, and no others."""
        self._version += 1
        write_rules(self._rules, self._version, *rules)
        log = self._rules.with_name(f"{self._rules.name}.log")
        said = json.dumps({"version": self._version})
        wait_until("the rules are followed", lambda: said in log.read_text().splitlines(), 30)

    def operator_lives(self) -> None:
        """See that the operator was not started anew."""
        (pod,) = self.lab.get("pods", "--selector=app.kubernetes.io/component=operator")["items"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0

    def operator_is_ready(self) -> bool:
        return self.lab.operator_pod() is not None


def write_rules(path: Path, version: int, *rules: dict[str, Any]) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"version": version, "faults": rules}))
    beside.replace(path)


@pytest.fixture(scope="module")
def faulty(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    """A namespace whose claim is a faulty volume; runs are seen in the folder behind it."""
    need_fuse()
    place = tmp_path_factory.mktemp("faulty")
    behind, front, rules = make_volume(place / "behind"), place / "front", place / "rules.json"
    front.mkdir()
    write_rules(rules, 0)
    node = cluster.nodes["node1"]
    words = [str(PROGRAM), str(behind), str(front), "--faults", str(rules)]
    node.daemons.start("faulty volume", [sys.executable, *words])

    def mounted() -> bool:
        return str(front) in node.namespaces.run("cat", "/proc/mounts")

    wait_until("the faulty volume", mounted, 10)
    lab = install(cluster, front, "faulty")
    lab.volume = behind
    lab.wait_for_operator()
    return Faulty(lab, rules)


@pytest.fixture(autouse=True)
def mended(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.do()


def in_training(faulty: Faulty, name: str) -> Run:
    run = faulty.lab.run(name, **TWO_WORKERS)
    run.wait_for("Progressing", "True", "Training", 120)
    return run


def goes_on(run: Run, undisturbed: Run) -> None:
    run.wait_for("Succeeded", seconds=300)
    assert run.orders() == undisturbed.orders()
    assert run.status["best"] == undisturbed.status["best"]


def test_a_hang_in_one_folder_holds_up_that_run_alone(faulty: Faulty, undisturbed: Run) -> None:
    hung = in_training(faulty, "hung")
    faulty.do({"op": "*", "path": f"runs/faulty/hung-{hung.uid}/", "hang": True})
    hung.wait_for("Progressing", "False", "VolumeStalled", 60)
    assert hung.status["state"] == "Stalled"
    other = faulty.lab.run("beside", **TWO_WORKERS)
    goes_on(other, undisturbed)
    assert hung.condition("Progressing")["reason"] == "VolumeStalled"
    faulty.operator_lives()
    faulty.do()
    goes_on(hung, undisturbed)


def test_a_hang_of_the_whole_volume_leaves_the_operator_alive(
    faulty: Faulty, undisturbed: Run
) -> None:
    runs = [in_training(faulty, f"all-hung-{number}") for number in (1, 2)]
    faulty.do({"op": "*", "hang": True})
    for run in runs:
        run.wait_for("Progressing", "False", "VolumeStalled", 90)
    wait_until("it is not ready", lambda: not faulty.operator_is_ready(), 120)
    faulty.operator_lives()
    faulty.do()
    for run in runs:
        goes_on(run, undisturbed)
    faulty.operator_lives()
    wait_until("it is ready again", faulty.operator_is_ready, 60)


@pytest.mark.parametrize(("name", "rule"), [("full", NO_SPACE), ("read-only", READ_ONLY)])
def test_a_volume_that_takes_nothing_more(
    faulty: Faulty, undisturbed: Run, name: str, rule: dict[str, Any]
) -> None:
    run = in_training(faulty, f"on-{name}")
    faulty.do(rule)
    message = run.wait_for("Progressing", "False", "VolumeTrouble", 120)
    assert {"full": "full", "read-only": "read-only"}[name] in message
    faulty.operator_lives()
    faulty.do()
    goes_on(run, undisturbed)


def test_a_volume_that_takes_nothing_at_the_beginning(faulty: Faulty) -> None:
    faulty.do(READ_ONLY)
    run = faulty.lab.run("begun-read-only")
    run.wait_for("Progressing", "False", "VolumeTrouble", 30)
    faulty.do()
    run.wait_for("DataReady", seconds=120)
    run.delete()


def test_a_folder_that_is_gone_is_not_trained_again(lab: Lab, undisturbed: Run) -> None:
    """It is said, no pod waits for it, and brought back it goes on."""
    run = lab.run("moved-away", **LONGER)
    run.wait_until("its second generation", lambda: run.generation() >= 2, 120)
    folder = run.folder
    elsewhere = folder.rename(folder.parent / "elsewhere")
    said = run.wait_for("Progressing", "False", "RunFolderBroken", 60)
    assert "is gone from the volume" in said
    run.wait_until("no pod is left", lambda: not run.pods(alive=False) or not run.pods(), 130)
    assert not folder.exists()
    elsewhere.rename(folder)
    run.patch(suspend=True)
    run.wait_for("Suspended", seconds=130)
    run.patch(suspend=False)
    goes_on(run, undisturbed)
