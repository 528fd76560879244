"""The plan: from the Jobs and pods that there are to those that there should be."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_examples import SETTINGS, pod_body, run_object

from autolfads_operator.cluster.children.jobs import prepare_job, worker_jobs
from autolfads_operator.cluster.mirror import Mirror
from autolfads_operator.cluster.plan import (
    Action,
    Create,
    DeleteJob,
    KillPod,
    Resize,
    Suspend,
    Wanted,
    plan,
)
from autolfads_operator.cluster.pod_facts import facts_of
from autolfads_operator.cluster.run_object import RunObject

RUN = run_object()
MIRROR = Mirror()
QUEUED = run_object(labels={"kueue.x-k8s.io/queue-name": "gpus"})
DRA = run_object(workers={"gpu": {"sharing": "dra"}})
REST, PREPARE, TRAIN = Wanted("rest"), Wanted("prepare"), Wanted("train", 4)


def there(body: dict[str, Any], *, over: str | None = None, **spec: Any) -> dict[str, Any]:
    """Return a Job as the cluster has it."""
    metadata = {**body["metadata"], "uid": f"uid-of-{body['metadata']['name']}"}
    conditions = [{"type": over, "status": "True"}] if over else []
    return {
        "metadata": metadata,
        "spec": {**body["spec"], **spec},
        "status": {"conditions": conditions},
    }


def workers(run: RunObject = RUN, count: int = 4) -> list[dict[str, Any]]:
    return worker_jobs(run, SETTINGS, count)


def planned(
    wanted: Wanted, *jobs: dict[str, Any], run: RunObject = RUN, **more: Any
) -> list[Action]:
    # As the mirror keeps them: without what is not needed here.
    pods = facts_of([MIRROR.pods.in_short(pod) for pod in more.get("pods", ())])
    kept = [MIRROR.jobs.in_short(job) for job in jobs]
    return plan(run, SETTINGS, wanted, kept, pods, frozenset(more.get("dropped", ())))


def in_words(actions: list[Action]) -> list[str]:
    said = []
    for action in actions:
        if isinstance(action, Create):
            said.append(f"create {action.body['kind']} {action.body['metadata']['name']}")
        elif isinstance(action, DeleteJob):
            said.append(f"delete {action.job} {action.claim or ''}".strip())
        else:
            said.append(str(action))
    return said


def test_first_a_pod_that_prepares() -> None:
    assert in_words(planned(PREPARE)) == ["create Job lorenz-7ef9dbc9-prepare"]
    assert planned(PREPARE, there(prepare_job(RUN, SETTINGS))) == []


def test_one_that_is_over_without_having_prepared_is_made_anew() -> None:
    over = there(prepare_job(RUN, SETTINGS), over="Failed")
    assert in_words(planned(PREPARE, over)) == ["delete lorenz-7ef9dbc9-prepare"]


def test_then_workers_and_no_pod_that_prepares_any_more() -> None:
    (job,) = workers()
    name = job["metadata"]["name"]
    actions = in_words(planned(TRAIN, there(prepare_job(RUN, SETTINGS))))
    assert actions == ["delete lorenz-7ef9dbc9-prepare", f"create Job {name}"]
    assert planned(TRAIN, there(job)) == []


@pytest.mark.parametrize("count", [1, 2, 9])
def test_more_and_fewer_workers_are_the_same_job(count: int) -> None:
    (job,) = workers()
    actions = planned(Wanted("train", count), there(job))
    assert actions == [Resize(job["metadata"]["name"], count)]


def test_a_running_job_is_left_alone_by_a_new_version_of_the_operator() -> None:
    (job,) = workers()
    old = there(job, template={"made": "by an operator long ago"}, backoffLimitPerIndex=3)
    assert planned(TRAIN, old) == []


def test_changed_pods_are_a_new_job_in_the_place_of_the_old() -> None:
    changed = run_object(workers={"resources": {"memory": "9Gi"}})
    (old,), (new,) = workers(), workers(changed)
    actions = in_words(planned(TRAIN, there(old), run=changed))
    names = [each["metadata"]["name"] for each in (old, new)]
    assert actions == [f"delete {names[0]}", f"create Job {names[1]}"]


def test_a_job_that_is_over_although_the_run_is_not_is_made_anew() -> None:
    (job,) = workers()
    for end in ("Complete", "Failed"):
        actions = in_words(planned(TRAIN, there(job, over=end)))
        assert actions == [f"delete {job['metadata']['name']}"]


def test_at_rest_workers_are_given_back_and_pods_that_prepare_removed() -> None:
    (job,) = workers()
    actions = planned(REST, there(job), there(prepare_job(RUN, SETTINGS)))
    assert actions[0] == Suspend(job["metadata"]["name"], suspended=True)
    assert in_words(actions[1:]) == ["delete lorenz-7ef9dbc9-prepare"]
    assert planned(REST, there(job, suspend=True)) == []


def test_at_rest_a_job_that_is_over_stays_with_its_logs() -> None:
    assert planned(REST, there(workers()[0], over="Complete")) == []


def test_going_on_has_the_same_workers_again() -> None:
    (job,) = workers()
    name = job["metadata"]["name"]
    assert planned(TRAIN, there(job, suspend=True)) == [Suspend(name, suspended=False)]


def test_kueue_alone_says_when_a_queued_job_runs() -> None:
    (job,) = workers(QUEUED)
    for suspended in (True, False):
        assert planned(TRAIN, there(job, suspend=suspended), run=QUEUED) == []
    assert in_words(planned(REST, there(job), run=QUEUED)) == [f"delete {job['metadata']['name']}"]


def test_before_the_run_directory_was_read_everything_stays() -> None:
    jobs = [there(workers()[0]), there(prepare_job(RUN, SETTINGS))]
    assert planned(Wanted("unknown"), *jobs) == []


def test_each_claim_is_made_before_its_job_and_goes_with_it() -> None:
    first, second = (job["metadata"]["name"] for job in workers(DRA))
    assert in_words(planned(TRAIN, run=DRA)) == [
        f"create ResourceClaim {first}",
        f"create Job {first}",
        f"create ResourceClaim {second}",
        f"create Job {second}",
    ]
    fewer = planned(Wanted("train", 2), *map(there, workers(DRA)), run=DRA)
    assert in_words(fewer) == [f"delete {second} {second}"]
    odd = planned(Wanted("train", 3), *map(there, workers(DRA)), run=DRA)
    assert odd == [Resize(second, 1)]


def test_a_job_that_is_being_deleted_is_there_no_more() -> None:
    (job,) = workers()
    leaving = there(job)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"
    assert in_words(planned(TRAIN, leaving)) == [f"create Job {job['metadata']['name']}"]


@pytest.mark.parametrize("wanted", [REST, TRAIN, Wanted("unknown")])
def test_pods_of_silent_workers_are_killed(wanted: Wanted) -> None:
    pods = [pod_body("a"), pod_body("b")]
    actions = planned(wanted, *map(there, workers()), pods=pods, dropped={"uid-of-a"})
    assert [each for each in actions if isinstance(each, KillPod)] == [KillPod("a", "uid-of-a")]


def test_a_pod_that_is_over_is_not_killed() -> None:
    pods = [pod_body("a", phase="Failed")]
    assert planned(TRAIN, there(workers()[0]), pods=pods, dropped={"uid-of-a"}) == []
