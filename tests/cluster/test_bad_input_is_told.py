"""What a user can mend is a condition within seconds, seen in `kubectl describe`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import machine
import pytest
from lab import Lab, Run

TOLD_WITHIN = 10.0  # seconds; what a pod finds, needs the pod as well
POD_STARTS = 20.0


def told(run: Run, kind: str, reason: str, seconds: float = TOLD_WITHIN) -> str:
    """Wait until the condition says so, and the event; return what `kubectl describe` says."""
    message = run.wait_for(kind, "False", reason, seconds)
    described = run.lab.kubectl("describe", "alr", run.name)
    assert reason in described
    assert message.splitlines()[0][:60] in " ".join(described.split())
    assert ("Warning", reason) in {event[:2] for event in run.events()}
    return message


@pytest.fixture
def run_it(lab: Lab, request: pytest.FixtureRequest):
    """Apply a run that is removed again; its name is that of the test."""
    made: list[Run] = []

    def run(**spec: Any) -> Run:
        name = request.node.name.replace("_", "-").split("[")[0][5:50].strip("-")
        made.append(lab.run(f"{name}-{len(made)}-{abs(hash(request.node.name)) % 999}", **spec))
        return made[-1]

    yield run
    for each in made:
        each.delete()


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        (
            {"workers": {"podTemplate": {"securityContext": {"runAsUser": 0}}}},
            "PodTemplateInvalid",
            "securityContext.runAsUser: found 0; expected 10001",
        ),
        ({"data": {"path": "/etc/passwd"}}, "PathOutsideData", "spec.data.path: found /etc/passwd"),
        ({"data": {"path": "../../x.h5"}}, "PathOutsideData", "without '..'"),
        ({"configFile": "/c.yaml"}, "PathOutsideData", "spec.configFile: found /c.yaml"),
        (
            {
                "workers": {
                    "podTemplate": {
                        "volumes": [
                            {"name": "v", "persistentVolumeClaim": {"claimName": "autolfads"}}
                        ]
                    }
                }
            },
            "PodTemplateInvalid",
            "the shared claim autolfads",
        ),
    ],
)
def test_a_run_that_is_not_taken_up(run_it, spec: dict[str, Any], reason: str, words: str) -> None:
    run = run_it(**spec)
    assert words in told(run, "Accepted", reason)
    assert run.status["state"] == "Refused"
    assert not run.folder.exists()
    assert run.jobs("prepare") == run.jobs() == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"data": {"path": "missing.h5"}}, "spec.data.path: data/missing.h5: "),
        ({"configFile": "missing.yaml"}, "spec.configFile: data/missing.yaml: "),
        ({"config": {"model": {"gen_dmi": 3}}}, "gen_dmi"),
        ({"config": {"model": {"gen_dim": -3}}}, "gen_dim"),
        ({"pbt": {"searchSpace": {"model.nothing": {"min": 1, "max": 2}}}}, "model.nothing"),
    ],
)
def test_what_prepare_refuses(run_it, spec: dict[str, Any], words: str) -> None:
    run = run_it(**spec)
    message = told(run, "DataReady", "InputRefused", POD_STARTS + TOLD_WITHIN)
    assert words in message
    assert run.condition("Failed")["status"] == "True"
    time.sleep(5)
    # It is not tried again and again.
    assert len(list(run.folder.glob("prepare/attempt-*"))) == 1
    assert run.pods("prepare") == []


def test_what_was_refused_is_tried_again_when_the_user_has_mended_it(
    run_it, lab: Lab, tmp_path
) -> None:
    run = run_it(configFile="late.yaml")
    told(run, "DataReady", "InputRefused", POD_STARTS + TOLD_WITHIN)
    (lab.volume / "data/late.yaml").write_text("model: {gen_dim: 12}\n")
    run.patch(suspend=True)
    run.wait_for("Suspended")
    run.patch(suspend=False)
    run.wait_for("DataReady")
    assert run.condition("Failed")["status"] == "False"


@pytest.mark.parametrize(
    ("workers", "reason", "words"),
    [
        (
            {"gpu": {"resource": "example.com/gpu"}},
            "NoSuchResource",
            "no node offers example.com/gpu; found nvidia.com/gpu",
        ),
        ({"count": 9}, "TooFew", "9 workers ask for one nvidia.com/gpu each, and nodes offer 4"),
        (
            {"gpu": {"sharing": "mig", "profile": "1g.18gb"}},
            "NoSuchResource",
            "cut GPUs into 1g.18gb",
        ),
        ({"gpu": {"sharing": "dra"}}, "NoDeviceClass", "no DeviceClass gpu.nvidia.com"),
    ],
)
def test_what_no_node_has_is_told_before_any_worker_waits(
    run_it, workers: dict[str, Any], reason: str, words: str
) -> None:
    run = run_it(workers=workers, population=9)
    assert words in told(run, "WorkersReady", reason)


def test_an_image_that_does_not_exist(run_it) -> None:
    run = run_it(workers={"podTemplate": {"image": "localhost/nothing:1"}})
    message = told(run, "DataReady", "ImageNotPulled", 60)
    assert "localhost/nothing:1" in message


def test_a_volume_that_cannot_be_mounted(run_it) -> None:
    volumes = [*machine.volumes(), {"name": "keys", "secret": {"secretName": "nowhere"}}]
    mounts = [*machine.mounts(), {"name": "keys", "mountPath": "/keys"}]
    run = run_it(workers={"podTemplate": {"volumes": volumes, "volumeMounts": mounts}})
    assert 'secret "nowhere" not found' in told(run, "DataReady", "PodNotStarted", 60)
    assert run.status["state"] == "Waiting"


def test_a_scheduler_that_is_none(run_it) -> None:
    run = run_it(workers={"podTemplate": {"schedulerName": "nobody"}})
    assert "schedulerName" in told(run, "DataReady", "Unschedulable", 60)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"tolerations": [{"kee": "spot", "operator": "Exists"}]}, "tolerations[0].kee"),
        ({"affinity": {"nodeAfinity": {}}}, "affinity.nodeAfinity"),
        (
            {"volumes": [*machine.volumes(), {"name": "v", "configMap": {"nam": "v"}}]},
            f"volumes[{len(machine.volumes())}].configMap.nam",
        ),
        ({"securityContext": {"runAsUsr": 7}}, "securityContext.runAsUsr"),
    ],
)
def test_what_a_pod_does_not_have(run_it, template: dict[str, Any], words: str) -> None:
    message = told(run_it(workers={"podTemplate": template}), "DataReady", "PodRefused", 30)
    assert f'unknown field "spec.workers.podTemplate.{words}"' in message


@pytest.fixture
def deep() -> Iterator[None]:
    """Let this process read what is that deep, too."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(12_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("deep")
def test_a_configuration_that_is_too_deep(run_it, lab: Lab) -> None:
    """The operator must not die of it, nor any other run."""
    deep: dict[str, Any] = {}
    for _ in range(1200):
        deep = {"a": deep}
    before = lab.wait_for_operator()
    assert "100 levels" in told(run_it(config=deep), "Accepted", "Unsupported")
    assert lab.wait_for_operator() == before


def test_a_pod_that_pod_security_refuses(run_it) -> None:
    unconfined = {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}
    message = told(run_it(workers={"podTemplate": unconfined}), "DataReady", "PodRefused", 60)
    assert "PodSecurity" in message


def test_pods_that_end_as_if_all_were_done(run_it, lab: Lab) -> None:
    """As with an image that is none of autolfads; their Jobs are complete, and go with them."""
    idle = "--from-literal=sitecustomize.py=import os; os._exit(0)"
    lab.kubectl("create", "configmap", "idle", idle)
    template = {
        "volumes": [*machine.volumes(), {"name": "idle", "configMap": {"name": "idle"}}],
        "volumeMounts": [*machine.mounts(), {"name": "idle", "mountPath": "/idle"}],
        "env": [{"name": "PYTHONPATH", "value": "/idle"}],
    }
    run = run_it(workers={"podTemplate": template})
    message = told(run, "DataReady", "WorkersDie", 3 * POD_STARTS + TOLD_WITHIN)
    assert "exit code 0" in message
    time.sleep(5)
    assert not [pod for pod in run.pods("prepare") if pod["status"]["phase"] != "Succeeded"]


def test_workers_that_die_as_they_start(run_it) -> None:
    run = run_it(workers={"podTemplate": {"env": [{"name": "PYTHONHOME", "value": "/nowhere"}]}})
    assert "encodings" in told(run, "DataReady", "PodDied", POD_STARTS + TOLD_WITHIN)
    message = told(run, "DataReady", "WorkersDie", 400)
    assert "encodings" in message  # what Python says when its library cannot be found
    time.sleep(5)
    assert run.pods("prepare") == []
