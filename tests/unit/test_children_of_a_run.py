"""The Jobs, pods and claims that are made for a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cluster_examples import SETTINGS, UID, run_object

from autolfads_operator.cluster.children.amounts import whole_cores
from autolfads_operator.cluster.children.claims import resource_claims
from autolfads_operator.cluster.children.jobs import prepare_job, worker_jobs
from autolfads_operator.cluster.children.pod import refused


def worker_pod(**changes: Any) -> dict[str, Any]:
    (job,) = worker_jobs(run_object(**changes), SETTINGS, 4)
    return dict(job["spec"]["template"])


def container(**changes: Any) -> dict[str, Any]:
    return dict(worker_pod(**changes)["spec"]["containers"][0])


def test_workers_are_an_indexed_job_that_gives_no_index_up() -> None:
    (job,) = worker_jobs(run_object(), SETTINGS, 4)
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"] == 4
    assert spec["backoffLimitPerIndex"] >= 1_000_000
    assert spec["podReplacementPolicy"] == "Failed"
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["Ignore", "Ignore"]
    assert spec["suspend"] is False


def test_pods_meet_pod_security_restricted() -> None:
    pod = worker_pod()["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = pod["containers"][0]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True


def test_a_worker_sees_its_own_folder_and_the_data_read_only_and_nothing_else() -> None:
    mounts = {each["mountPath"]: each for each in container()["volumeMounts"]}
    assert mounts["/autolfads/run"]["subPath"] == f"runs/lab/lorenz-{UID}"
    assert "readOnly" not in mounts["/autolfads/run"]
    assert mounts["/autolfads/data"]["subPath"] == "data"
    assert mounts["/autolfads/data"]["readOnly"] is True
    assert mounts.keys() == {"/autolfads/run", "/autolfads/data", "/tmp"}
    made = container(data={"generate": {"problem": "lorenz"}})["volumeMounts"]
    assert "/autolfads/data" not in {each["mountPath"] for each in made}


def test_a_life_is_a_pod() -> None:
    life = {each["name"]: each for each in container()["env"]}["AUTOLFADS_LIFE"]
    assert life["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.uid"}}
    assert "--life=$(AUTOLFADS_LIFE)" in container()["args"]
    assert worker_pod()["spec"]["restartPolicy"] == "Never"


def test_who_saves_has_time_and_is_gone_before_a_spot_machine_is() -> None:
    assert 100 < worker_pod()["spec"]["terminationGracePeriodSeconds"] < 120


def test_one_that_still_starts_can_be_told_to_leave() -> None:
    assert worker_pod()["spec"]["shareProcessNamespace"] is True


def test_workers_on_a_gpu_must_see_one_and_keep_to_their_share() -> None:
    assert {"--device=cuda", "--gpu-share=0.5"} <= set(container()["args"])
    on_cpu = container(workers={"gpu": {"sharing": "none"}})["args"]
    assert "--device=cpu" in on_cpu
    assert not [each for each in on_cpu if each.startswith("--gpu-share")]


def test_a_worker_is_told_how_many_members_it_trains_at_once() -> None:
    assert {"--members-at-once=auto", "--workers=8"} <= set(container()["args"])
    three = container(workers={"membersAtOnce": 3})["args"]
    assert {"--members-at-once=3", "--workers=8"} <= set(three)
    on_cpu = container(workers={"gpu": {"sharing": "none"}})["args"]
    assert not [each for each in on_cpu if each.startswith("--members-at-once")]
    (made,) = prepare_job(run_object(), SETTINGS)["spec"]["template"]["spec"]["containers"]
    assert not [each for each in made["args"] if each.startswith("--members-at-once")]


def test_the_pod_that_prepares_takes_no_gpu_and_loads_no_torch() -> None:
    (made,) = prepare_job(run_object(), SETTINGS)["spec"]["template"]["spec"]["containers"]
    assert "nvidia.com/gpu" not in made["resources"]["limits"]
    assert {"--device=cpu", "--only-prepares"} <= set(made["args"])


def test_modules_of_ones_own_are_those_that_the_operator_allows() -> None:
    settings = replace(SETTINGS, allow_import=("my_lab", "other.costs"))
    (job,) = worker_jobs(run_object(), settings, 4)
    for made in (job, prepare_job(run_object(), settings)):
        (one,) = made["spec"]["template"]["spec"]["containers"]
        assert {"--allow-import=my_lab", "--allow-import=other.costs"} <= set(one["args"])
    assert not [each for each in container()["args"] if each.startswith("--allow-import")]


def test_the_users_pod_template_is_laid_over_and_never_over_what_is_needed() -> None:
    template = {
        "labels": {"team": "x"},
        "annotations": {"a": "b"},
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "priorityClassName": "low",
        "image": "mine:2",
        "imagePullSecrets": [{"name": "secret"}],
        "env": [{"name": "MORE", "value": "1"}],
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
        "securityContext": {"runAsUser": 7},
    }
    pod = worker_pod(workers={"podTemplate": template})
    assert pod["metadata"]["labels"]["team"] == "x"
    assert pod["metadata"]["labels"]["autolfads.io/run-uid"] == UID
    assert pod["metadata"]["annotations"] == {"a": "b"}
    spec = pod["spec"]
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert {"key": "spot", "operator": "Exists"} in spec["tolerations"]
    assert "nvidia.com/gpu" in {each["key"] for each in spec["tolerations"]}
    assert spec["priorityClassName"] == "low"
    assert spec["securityContext"]["runAsUser"] == 7
    assert spec["securityContext"]["runAsNonRoot"] is True
    made = spec["containers"][0]
    assert made["image"] == "mine:2"
    assert {"MORE", "AUTOLFADS_LIFE"} <= {each["name"] for each in made["env"]}
    assert "/cache" in {each["mountPath"] for each in made["volumeMounts"]}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"labels": {"autolfads.io/role": "x"}}, "labels: found autolfads.io/role"),
        ({"labels": {"batch.kubernetes.io/job-name": "x"}}, "labels: found batch"),
        ({"volumes": [{"name": "scratch", "emptyDir": {}}]}, "the name scratch"),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "autolfads"}}]},
            "the shared claim autolfads",
        ),
        ({"volumeMounts": [{"name": "autolfads", "mountPath": "/x"}]}, "the volume autolfads"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/autolfads/run/x"}]}, "outside of"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/autolfads"}]}, "outside of"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/"}]}, "outside of"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/tmp/"}]}, "outside of /tmp"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/autolfads/./run"}]}, "outside of"),
        ({"env": [{"name": "AUTOLFADS_LIFE", "value": "x"}]}, "env: found AUTOLFADS_LIFE"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": "a"}]}, "v: found persistentVolume"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]},
            "v: found serviceAccountToken",
        ),
    ],
)
def test_a_pod_template_cannot_take_what_the_operator_needs(
    template: dict[str, Any], words: str
) -> None:
    given = run_object(workers={"podTemplate": template}).spec.workers.pod_template
    (sentence,) = refused(given, "autolfads")
    assert words in sentence


@pytest.mark.parametrize("path", ["/autolfadsx", "/tmp/cache"])
def test_a_pod_template_that_is_fine_is_not_refused(path: str) -> None:
    template = {"volumeMounts": [{"name": "v", "mountPath": path}]}
    given = run_object(workers={"podTemplate": template}).spec.workers.pod_template
    assert list(refused(given, "autolfads")) == []


def test_a_queue_label_reaches_kueue_and_kueue_starts_the_job() -> None:
    run = run_object(labels={"kueue.x-k8s.io/queue-name": "gpus"})
    for job in (*worker_jobs(run, SETTINGS, 2), prepare_job(run, SETTINGS)):
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "gpus"
        assert job["spec"]["suspend"] is True


def test_the_pod_that_prepares_is_small() -> None:
    run = run_object(workers={"resources": {"cpu": 8, "memory": "16Gi"}})
    (made,) = prepare_job(run, SETTINGS)["spec"]["template"]["spec"]["containers"]
    assert made["resources"]["requests"] == {"cpu": "1", "memory": "16Gi"}


def test_with_dra_pods_of_a_job_name_one_claim() -> None:
    run = run_object(workers={"gpu": {"sharing": "dra"}})
    jobs, claims = worker_jobs(run, SETTINGS, 4), resource_claims(run, 4)
    assert len(jobs) == len(claims) == 2
    for job, claim in zip(jobs, claims, strict=True):
        pod = job["spec"]["template"]["spec"]
        assert job["spec"]["parallelism"] == 2
        assert [each["resourceClaimName"] for each in pod["resourceClaims"]] == [
            claim["metadata"]["name"]
        ]
        assert pod["containers"][0]["resources"]["claims"] == [{"name": "gpu"}]
        assert claim["metadata"]["ownerReferences"][0]["uid"] == UID
    assert resource_claims(run_object(), 4) == []


def test_names_are_host_names_of_this_run_alone() -> None:
    long = "a.name-of-63-letters" + "x" * 43
    for name in ("lorenz", long):
        run = run_object(name, workers={"gpu": {"sharing": "dra"}})
        for job in worker_jobs(run, SETTINGS, 100):
            found = job["metadata"]["name"]
            assert "." not in found
            assert len(f"{found}-9999") <= 63
    other = run_object(uid="00000000-187d-4bfa-872b-d351e77447a7")
    names = [worker_jobs(run, SETTINGS, 1)[0]["metadata"]["name"] for run in (run_object(), other)]
    assert names[0] != names[1]


def test_a_changed_template_is_another_job_and_a_changed_count_is_not() -> None:
    def name(**workers: Any) -> str:
        return str(worker_jobs(run_object(workers=workers), SETTINGS, 2)[0]["metadata"]["name"])

    assert name() == name(count=3)
    assert name() != name(resources={"memory": "9Gi"})
    assert name() != name(podTemplate={"image": "other"})


def test_everything_goes_with_the_run_and_nothing_holds_it_back() -> None:
    for job in (*worker_jobs(run_object(), SETTINGS, 2), prepare_job(run_object(), SETTINGS)):
        (owner,) = job["metadata"]["ownerReferences"]
        assert owner["uid"] == UID
        assert owner["controller"] is True
        assert "blockOwnerDeletion" not in owner
        assert "finalizers" not in job["metadata"]


@pytest.mark.parametrize(
    ("amount", "threads"),
    [(1, 1), (2, 2), ("2", 2), ("500m", 1), ("1500m", 1), ("2500m", 2), ("0.5", 1), ("1e1", 10)],
)
def test_threads_are_as_many_as_whole_cores(amount: int | str, threads: int) -> None:
    assert whole_cores(amount) == threads
