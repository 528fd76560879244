"""Deleting, applying again, limits in time, sweeping, and who else looks after the namespace."""

from __future__ import annotations

import json
import time

from kube.waiting import wait_until
from lab import RUNS, Lab, Run

LONG = {"pbt": {"generationEpochs": 400, "burnInEpochs": 400, "maxEpochs": 4000}}


def in_training(lab: Lab, name: str, **spec: object) -> Run:
    run = lab.run(name, **{**LONG, **spec})
    run.wait_for("Progressing", "True", "Training", 120)
    return run


def is_gone(run: Run, uid: str, seconds: float = 150) -> None:
    """Wait until the object and all of its pods are gone."""
    selector = f"--selector=autolfads.io/run-uid={uid}"

    def nothing_left() -> bool:
        there = [each["metadata"]["uid"] for each in run.lab.get(RUNS)["items"]]
        return uid not in there and not run.lab.get("pods,jobs", selector)["items"]

    wait_until(f"nothing is left of {run.name}", nothing_left, seconds)


def test_deleted_while_training_it_goes_at_once_and_its_folder_stays(lab: Lab) -> None:
    run = in_training(lab, "deleted")
    uid, folder = run.uid, run.folder
    run.delete()
    wait_until("the object is gone", lambda: not lab_has(lab, uid), 5)
    is_gone(run, uid)
    assert (folder / "run.json").exists()
    assert list(folder.glob("members/*/gen-001/attempt-*/outcome.json"))  # workers have saved


def test_deleted_as_its_pod_starts_nothing_stays(lab: Lab) -> None:
    """A process that has not yet asked for SIGTERM must not sit there until it is killed."""
    run = lab.run("early")
    run.wait_until("a pod that runs", lambda: run.pods("prepare"))
    uid = run.uid
    run.delete()
    is_gone(run, uid, 30)


def lab_has(lab: Lab, uid: str) -> bool:
    return uid in [each["metadata"]["uid"] for each in lab.get(RUNS)["items"]]


def test_the_same_name_again_is_another_run_with_a_folder_of_its_own(lab: Lab) -> None:
    first = in_training(lab, "again")
    uid, folder = first.uid, first.folder
    first.delete()
    wait_until("the object is gone", lambda: not lab_has(lab, uid), 10)
    second = lab.run("again")
    assert second.uid != uid
    second.wait_for("Succeeded", seconds=300)
    assert second.folder != folder
    assert (second.folder / "results/autolfads.zip").exists()
    assert not (folder / "results").exists()


def test_results_that_are_not_to_be_kept_are_swept_and_no_others(lab: Lab) -> None:
    run = lab.run("swept")
    run.wait_for("DataReady")
    run.patch(keepResults=False)  # it may change while the run goes on
    folder = run.folder
    run.wait_until(
        "it is noted", lambda: not json.loads((folder / "owner.json").read_text())["keepResults"]
    )
    # Others' folders: of another cluster, of another namespace's name, and of nobody.
    owner = json.loads((folder / "owner.json").read_text())
    other = folder.with_name(f"other-{'0' * 8}-187d-4bfa-872b-d351e77447a7")
    other.mkdir()
    strange = {**owner, "cluster": "another", "name": "other", "uid": other.name[6:]}
    (other / "owner.json").write_text(json.dumps(strange))
    nobody = folder.with_name("nobody")
    nobody.mkdir()
    uid = run.uid
    run.delete()
    is_gone(run, uid)
    wait_until("its folder is gone", lambda: not folder.exists(), 150)
    assert other.exists()
    assert nobody.exists()


def test_an_object_with_a_ttl_goes_after_its_end_and_its_results_stay(lab: Lab) -> None:
    run = lab.run("short-lived", ttlSecondsAfterFinished=5)
    run.wait_until("an object", lambda: run.uid)
    uid, folder = run.uid, run.folder
    is_gone(run, uid, 300)
    assert (folder / "results/autolfads.zip").exists()


def test_a_deadline_stops_the_run_and_a_later_one_lets_it_go_on(lab: Lab) -> None:
    run = in_training(lab, "too-late", activeDeadlineSeconds=60)
    message = run.wait_for("Failed", "True", "DeadlineExceeded", 120)
    assert "activeDeadlineSeconds (60 s)" in message
    run.wait_until("no pod", lambda: not run.pods(), 150)
    run.patch(activeDeadlineSeconds=6000)
    run.wait_for("Failed", "False", seconds=30)
    run.wait_for("Progressing", "True", "Training", 120)
    run.delete()


def test_several_operators_are_harmless_and_told(lab: Lab) -> None:
    lab.kubectl("scale", "deployment/autolfads-operator", "--replicas=2")
    try:
        run = lab.run("two-operators", **{"pbt": {"maxEpochs": 60, "generationEpochs": 20}})
        message = run.wait_for("Accepted", "True", "SeveralOperators", 120)
        assert "autolfads-operator-" in message
        assert run.status["state"] != "Refused"
        run.wait_for("Succeeded", seconds=300)
    finally:
        lab.kubectl("scale", "deployment/autolfads-operator", "--replicas=1")
    reasons = [reason for _, reason, _ in run.events()]
    assert "SeveralOperators" in reasons
    other = in_training(lab, "one-operator")
    other.wait_for("Accepted", "True", "Accepted", 120)
    other.delete()


def test_nothing_of_an_object_changes_by_itself_when_all_is_over(lab: Lab) -> None:
    run = lab.run("quiet")
    run.wait_until("its end", lambda: run.status.get("completionTime"), 300)
    before = run.object
    time.sleep(15)
    assert run.object["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
