"""What a pod's object says of its worker."""

from __future__ import annotations

from typing import Any

import pytest
from cluster_examples import ended, pod_body

from autolfads_operator.cluster.pod_facts import PodFacts, facts_of


def fact(*arguments: Any, **more: Any) -> PodFacts:
    (found,) = facts_of([pod_body(*arguments, **more)])
    return found


def not_scheduled(message: str) -> dict[str, str]:
    return {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
    }


@pytest.mark.parametrize(
    ("phase", "state", "expected"),
    [
        ("Pending", None, "waiting"),
        ("Pending", {"waiting": {"reason": "ContainerCreating"}}, "waiting"),
        ("Running", {"running": {}}, "running"),
        ("Running", ended(0), "over"),
        ("Succeeded", ended(0), "over"),
        ("Failed", ended(1), "over"),
        ("Failed", None, "over"),
    ],
)
def test_how_far_a_pod_is(phase: str, state: dict[str, Any] | None, expected: str) -> None:
    assert fact(phase=phase, state=state).phase == expected


def test_one_that_is_being_deleted_still_runs() -> None:
    pod = fact(deletionTimestamp="2026-11-01T12:00:00Z")
    assert pod.leaving
    assert pod.phase == "running"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("ErrImagePull", "ImageNotPulled"),
        ("ImagePullBackOff", "ImageNotPulled"),
        ("InvalidImageName", "ImageNotPulled"),
        ("CreateContainerConfigError", "PodNotStarted"),
    ],
)
def test_why_a_container_does_not_start_is_told_as_kubelet_tells_it(reason: str, told: str) -> None:
    pod = fact(phase="Pending", state={"waiting": {"reason": reason, "message": "because"}})
    assert pod.waits_for is not None
    assert pod.waits_for.reason == told
    assert pod.waits_for.message.startswith(f"{reason}: because")
    assert ("podTemplate.image" in pod.waits_for.message) == (told == "ImageNotPulled")


def test_why_no_node_takes_it_is_told_as_the_scheduler_tells_it() -> None:
    pod = fact(phase="Pending", conditions=(not_scheduled("0/3 nodes are available"),))
    assert pod.waits_for is not None
    assert pod.waits_for.reason == "Unschedulable"
    assert pod.waits_for.message == "0/3 nodes are available"


def test_a_pod_that_runs_waits_for_nothing() -> None:
    assert fact(conditions=(not_scheduled("old"),)).waits_for is None


def test_a_node_is_lost_when_its_controller_says_so_of_a_running_pod() -> None:
    not_ready = {"type": "Ready", "status": "False"}
    assert fact(conditions=(not_ready,)).node_lost
    assert not fact(phase="Pending", conditions=(not_ready,)).node_lost
    assert not fact(conditions=({"type": "Ready", "status": "True"},)).node_lost


DISRUPTED = ({"type": "DisruptionTarget", "status": "True"},)


@pytest.mark.parametrize(
    ("more", "by_itself"),
    [
        ({"state": ended(1)}, True),
        ({"state": ended(137)}, True),
        ({"state": ended(0)}, True),  # an image that does something else
        ({"state": ended(143)}, False),  # told to leave
        ({"state": {}}, True),  # its node would not have it
        ({"state": {}, "conditions": DISRUPTED}, False),  # evicted
        ({"state": ended(137), "deletionTimestamp": "2026-11-01T12:00:01Z"}, False),
    ],
)
def test_who_was_told_to_leave_or_was_taken_away_has_not_died(
    more: dict[str, Any], by_itself: bool
) -> None:
    assert fact(phase="Failed", **more).ended_by_itself is by_itself


def test_one_that_could_not_be_started_has_not_lived_since_1970() -> None:
    state = ended(128)
    state["terminated"]["startedAt"] = "1970-01-01T00:00:00Z"
    assert fact(phase="Failed", state=state).was_short


def test_a_worker_that_needed_too_much_memory_is_told_so() -> None:
    pod = fact(phase="Failed", state=ended(137, reason="OOMKilled"))
    assert "spec.workers.resources.memory" in pod.last_words


def test_pods_come_oldest_first() -> None:
    young = pod_body("a", creationTimestamp="2026-11-01T13:00:00Z")
    assert [pod.name for pod in facts_of([young, pod_body("b")])] == ["b", "a"]
