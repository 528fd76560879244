"""What is said of a run: conditions, the one word, and Events, from what is seen."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from cluster_examples import ended, pod_body, run_body, run_object

from autolfads_operator.cluster.acceptance import Asked, objection
from autolfads_operator.cluster.conditions import CONDITIONS, Held, Situation
from autolfads_operator.cluster.holding import held_by
from autolfads_operator.cluster.limits import Limits
from autolfads_operator.cluster.packing import Finding
from autolfads_operator.cluster.plan import Wanted
from autolfads_operator.cluster.pod_facts import PodFacts, facts_of
from autolfads_operator.cluster.report import events_of, matters, state_of, status_of
from autolfads_operator.cluster.volume_side import Seen
from autolfads_operator.status import RunStatus
from autolfads_operator.view.picture import MemberPicture, Picture
from autolfads_trainer.records import End

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 1, 13, 0, tzinfo=UTC)
TRAIN = Wanted("train", 2)
TWO = ("uid-of-a", "uid-of-b")


def member(number: int, state: Any = "training", score: float | None = None) -> MemberPicture:
    return MemberPicture(number, state, 3.0, 10, score, "why", attempts=1, generation=2)


PICTURE = Picture(
    name="lorenz",
    state="training",
    doing="",
    generation=2,
    last_generation=5,
    population=4,
    seed=7,
    metric="valid/recon_smth",
    members=(member(0), member(1, "finished", 0.5), member(2, "lost")),
    before=(),
    best_member=1,
    best_generation=2,
    best_score=0.123456789,
    epochs_done=10.0,
    epochs_in_all=100,
    workers=2,
    reason=None,
    notes=("two trials were left out",),
)
PREPARING = dataclasses.replace(PICTURE, state="preparing", population=None, members=())


def seen(
    picture: Picture = PICTURE, *, showing: tuple[str, ...] = TWO, end: End | None = None
) -> Seen:
    return Seen(picture, 3601.0, end, frozenset(showing))


def pods(*names: str, **more: Any) -> tuple[PodFacts, ...]:
    return facts_of([pod_body(name, **more) for name in names])


def situation(**more: Any) -> Situation:
    run = more.pop("run", run_object())
    base: dict[str, Any] = {"wanted": TRAIN, "seen": seen(), "pods": pods("a", "b")}
    return Situation(run=run, **(base | more))


def verdict(kind: str, **more: Any) -> tuple[str, str]:
    found = CONDITIONS[kind](situation(**more))
    return found.status, found.reason


def test_a_run_in_training() -> None:
    assert {kind: verdict(kind) for kind in CONDITIONS} == {
        "Accepted": ("True", "Accepted"),
        "DataReady": ("True", "Prepared"),
        "WorkersReady": ("True", "WorkersReady"),
        "Progressing": ("True", "Training"),
        "Suspended": ("False", "NotSuspended"),
        "Succeeded": ("False", "NotEnded"),
        "Failed": ("False", "NotFailed"),
    }


FINDING = Finding("TooFew", "8 ask, 4 are offered")
SUSPENDED = run_object(suspend=True)
SUCCEEDED = seen(end=End(state="succeeded", reason="all epochs done", best=(1, 2), score=0.1))
LOST = seen(end=End(state="failed", reason="all members are lost"))
PULLING = pods("a", phase="Pending", state={"waiting": {"reason": "ErrImagePull"}})
PREPARE_PULLS = pods(
    "a", role="prepare", phase="Pending", state={"waiting": {"reason": "ErrImagePull"}}
)
INPUT = Held("DataReady", Finding("InputRefused", "no such file"))
DYING = Held("WorkersReady", Finding("WorkersDie", "no torch"))
NOT_PREPARED: dict[str, Any] = {"seen": seen(PREPARING), "wanted": Wanted("prepare")}
QUEUED = {
    "metadata": {"name": "job", "labels": {"kueue.x-k8s.io/queue-name": "q"}},
    "spec": {"suspend": True},
}
REFUSED = Finding("PathOutsideData", "found ../x")


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("Accepted", {"refused": REFUSED}, ("False", "PathOutsideData")),
        ("Accepted", {"other_operators": ("other",)}, ("True", "SeveralOperators")),
        ("DataReady", NOT_PREPARED, ("False", "Preparing")),
        ("DataReady", {**NOT_PREPARED, "pods": PREPARE_PULLS}, ("False", "ImageNotPulled")),
        ("DataReady", {**NOT_PREPARED, "not_made": FINDING}, ("False", "TooFew")),
        ("DataReady", {**NOT_PREPARED, "held": INPUT}, ("False", "InputRefused")),
        ("DataReady", {"seen": None, "refused": REFUSED}, ("Unknown", "NotLookedAt")),
        ("WorkersReady", NOT_PREPARED, ("False", "WaitingForData")),
        ("WorkersReady", {**NOT_PREPARED, "pods": (), "lacking": FINDING}, ("False", "TooFew")),
        ("WorkersReady", {"seen": seen(showing=()), "lacking": FINDING}, ("False", "TooFew")),
        ("WorkersReady", {"lacking": FINDING}, ("True", "WorkersReady")),
        ("WorkersReady", {"seen": seen(showing=TWO[:1])}, ("False", "Starting")),
        ("WorkersReady", {"pods": (), "not_made": FINDING}, ("False", "TooFew")),
        ("WorkersReady", {"pods": PULLING}, ("False", "ImageNotPulled")),
        ("WorkersReady", {"pods": (), "jobs": [QUEUED]}, ("False", "Queued")),
        ("WorkersReady", {"held": DYING}, ("False", "WorkersDie")),
        ("WorkersReady", {"wanted": Wanted("rest")}, ("False", "Saving")),
        ("WorkersReady", {"wanted": Wanted("rest"), "pods": ()}, ("False", "NoneWanted")),
        ("WorkersReady", {"seen": SUCCEEDED}, ("False", "Over")),
        ("Progressing", {"seen": seen(showing=())}, ("False", "WaitingForWorkers")),
        ("Progressing", NOT_PREPARED, ("True", "Preparing")),
        ("Progressing", {"trouble": "x", "stalled": True}, ("False", "VolumeStalled")),
        ("Progressing", {"trouble": "the disk is full"}, ("False", "VolumeTrouble")),
        ("Progressing", {"run": SUSPENDED}, ("False", "SuspendedByUser")),
        ("Progressing", {"past_deadline": True}, ("False", "DeadlineExceeded")),
        ("Progressing", {"held": INPUT}, ("False", "InputRefused")),
        ("Progressing", {"refused": REFUSED}, ("False", "PathOutsideData")),
        ("Progressing", {"seen": SUCCEEDED}, ("False", "Over")),
        (
            "Progressing",
            {"seen": seen(dataclasses.replace(PICTURE, state="exporting"))},
            ("True", "Exporting"),
        ),
        ("WorkersReady", {"pods": (), "died": FINDING}, ("False", "TooFew")),
        ("DataReady", {**NOT_PREPARED, "died": FINDING}, ("False", "TooFew")),
        ("DataReady", {**NOT_PREPARED, "run": SUSPENDED}, ("False", "Suspended")),
        ("Failed", {"refused": REFUSED}, ("True", "PathOutsideData")),
        ("Suspended", {"run": SUSPENDED}, ("False", "Saving")),
        ("Suspended", {"run": SUSPENDED, "not_made": FINDING}, ("False", "TooFew")),
        ("Suspended", {"run": SUSPENDED, "pods": ()}, ("True", "SuspendedByUser")),
        ("Suspended", {"run": SUSPENDED, "seen": SUCCEEDED}, ("False", "NotSuspended")),
        ("Succeeded", {"seen": SUCCEEDED}, ("True", "Ended")),
        ("Succeeded", {"seen": LOST}, ("False", "MembersLost")),
        ("Failed", {"seen": LOST}, ("True", "MembersLost")),
        ("Failed", {"seen": SUCCEEDED}, ("False", "NotFailed")),
        ("Failed", {"past_deadline": True}, ("True", "DeadlineExceeded")),
        ("Failed", {"held": INPUT}, ("True", "InputRefused")),
        ("Failed", {"seen": SUCCEEDED, "past_deadline": True}, ("False", "NotFailed")),
    ],
)
def test_what_is_told(kind: str, more: dict[str, Any], expected: tuple[str, str]) -> None:
    assert verdict(kind, **more) == expected


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "Training"),
        ({"seen": seen(showing=())}, "Waiting"),
        (NOT_PREPARED, "Preparing"),
        ({"run": SUSPENDED}, "Suspending"),
        ({"run": SUSPENDED, "pods": ()}, "Suspended"),
        ({"seen": SUCCEEDED}, "Succeeded"),
        ({"seen": LOST}, "Failed"),
        ({"held": DYING}, "Failed"),
        ({"past_deadline": True}, "Failed"),
        ({"refused": REFUSED}, "Refused"),
        ({"trouble": "x"}, "Stalled"),
    ],
)
def test_a_run_in_one_word(more: dict[str, Any], word: str) -> None:
    assert state_of(situation(**more)) == word


def test_counts_and_best_in_the_status() -> None:
    status = status_of(situation(), {}, NOW)
    assert status["members"] == {
        "total": 4, "running": 1, "waiting": 1, "finished": 1, "failed": 1,
    }  # fmt: skip
    assert status["best"] == {"member": 1, "generation": 2, "score": "0.123457"}
    assert status["workers"]["wanted"] == status["workers"]["ready"] == 2
    assert status["seed"] == 7
    assert status["timeLeft"] == "1 h 00 min"
    assert status["startTime"] == "2026-11-01T12:00:00Z"
    assert status["completionTime"] is None


def test_what_nodes_offer_may_be_unseen_and_the_scheduler_tells_the_rest() -> None:
    unseen = Finding("Forbidden", "nodes could not be looked at")
    starts: dict[str, Any] = {"seen": seen(showing=()), "lacking": unseen}
    assert verdict("WorkersReady", **starts) == ("False", "Starting")
    found = CONDITIONS["WorkersReady"](situation(**starts, pods=PULLING))
    assert found.reason == "ImageNotPulled"
    assert found.message.startswith("0 of 2 workers have shown life; pod a: ErrImagePull")
    assert found.message.endswith("; nodes could not be looked at")
    assert verdict("WorkersReady", lacking=unseen) == ("True", "WorkersReady")


@pytest.mark.parametrize("more", [{"held": DYING}, {"past_deadline": True}])
def test_nobody_trains_in_a_run_that_is_held(more: dict[str, Any]) -> None:
    status = status_of(situation(**more), {}, NOW)
    assert status["members"] == {
        "total": 4, "running": 0, "waiting": 2, "finished": 1, "failed": 1,
    }  # fmt: skip


def test_a_status_is_one_that_the_api_takes() -> None:
    """No key that the schema would drop."""
    for more in ({}, {"seen": None}, {"seen": SUCCEEDED, "tidied": True}):
        status = status_of(situation(**more), {}, NOW)
        assert RunStatus.model_config["extra"] == "ignore"
        known = {info.alias for info in RunStatus.model_fields.values()}
        assert status.keys() <= known
        RunStatus.model_validate(status)


def test_the_end_has_a_time_when_nothing_is_at_work_any_more() -> None:
    over = situation(seen=SUCCEEDED)
    assert status_of(over, {}, NOW)["completionTime"] is None
    tidied = dataclasses.replace(over, tidied=True)
    status = status_of(tidied, {}, NOW)
    assert status["completionTime"] == "2026-11-01T12:00:00Z"
    assert status_of(tidied, status, LATER)["completionTime"] == "2026-11-01T12:00:00Z"


def times(status: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["lastTransitionTime"][11:13] for each in status["conditions"]}


def test_a_condition_has_the_time_of_its_last_change() -> None:
    before = status_of(situation(seen=seen(showing=TWO[:1])), {}, NOW)
    after = status_of(situation(), before, LATER)
    assert times(after) == times(before) | {"WorkersReady": "13"}


def test_a_status_of_counts_alone_can_wait() -> None:
    before = status_of(situation(), {}, NOW)
    fewer = dataclasses.replace(PICTURE, members=(member(0),))
    assert not matters(status_of(situation(seen=seen(fewer)), before, LATER), before)
    next_one = dataclasses.replace(PICTURE, generation=3)
    assert matters(status_of(situation(seen=seen(next_one)), before, LATER), before)
    assert matters(status_of(situation(trouble="x"), before, LATER), before)


def test_before_the_run_directory_was_read_what_was_said_of_it_stays() -> None:
    """An operator that starts while the volume hangs must not take anything back."""
    before = status_of(situation(), {}, NOW)
    after = status_of(situation(seen=None, trouble="x", stalled=True), before, LATER)
    said = {each["type"]: each["reason"] for each in after["conditions"]}
    assert said["DataReady"] == "Prepared"
    assert said["WorkersReady"] == "WorkersReady"
    assert said["Progressing"] == "VolumeStalled"
    assert after["best"] == before["best"]
    assert after["generation"] == 2


def told(now: Situation, before: dict[str, Any]) -> list[tuple[str, str]]:
    events = events_of(now.run, status_of(now, before, LATER), before, LATER)
    return [(each["type"], each["reason"]) for each in events]


def test_one_event_for_each_transition() -> None:
    first = situation(**NOT_PREPARED)
    assert told(first, {}) == [("Normal", "Accepted"), ("Normal", "Preparing")]
    before = status_of(first, {}, NOW)
    assert told(first, before) == []
    assert told(situation(), before) == [
        ("Normal", "Prepared"),
        ("Normal", "WorkersReady"),
        ("Normal", "Training"),
    ]


def test_one_cause_is_one_event_although_it_shows_in_several_conditions() -> None:
    before = status_of(situation(**NOT_PREPARED), {}, NOW)
    assert told(situation(**NOT_PREPARED, held=INPUT), before) == [("Warning", "InputRefused")]


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"seen": seen(showing=()), "lacking": FINDING}, "Warning"),
        ({"trouble": "x", "stalled": True}, "Warning"),
        ({"seen": LOST}, "Warning"),
        ({"other_operators": ("b",)}, "Warning"),
        ({"seen": SUCCEEDED}, "Normal"),
        ({"run": SUSPENDED, "wanted": Wanted("rest"), "pods": ()}, "Normal"),
    ],
)
def test_warnings_are_what_somebody_should_look_at(more: dict[str, Any], kind: str) -> None:
    before = status_of(situation(), {}, NOW)
    assert {each for each, _ in told(situation(**more), before)} == {kind}


def test_events_of_one_moment_have_names_in_their_order_and_fit() -> None:
    long = Held("DataReady", Finding("InputRefused", "x" * 5000))
    now = situation(**NOT_PREPARED, held=long)
    events = list(events_of(now.run, status_of(now, {}, NOW), {}, NOW))
    names = [each["metadata"]["name"] for each in events]
    assert names == sorted(names)
    assert all(len(each["message"]) <= 1024 for each in events)


def test_two_operators_that_see_the_end_tell_of_it_once() -> None:
    """One that is killed, and is not gone yet, and the one that takes its place."""
    before = status_of(situation(), {}, NOW)
    now = situation(seen=SUCCEEDED)
    (one,), (other,) = (
        [
            each["metadata"]["name"]
            for each in events_of(now.run, status_of(now, before, at), before, at)
            if each["reason"] == "Ended"
        ]
        for at in (NOW, LATER)
    )
    assert one == other  # the API takes the first of one name
    earlier = events_of(now.run, before, {}, LATER)
    assert one > max(each["metadata"]["name"] for each in earlier)  # it is the last of all


# What holds a run, until its user changes something.


def test_what_held_a_run_holds_it_for_the_next_operator_too() -> None:
    held = situation(**NOT_PREPARED, held=INPUT)
    status = status_of(held, {}, NOW)
    assert held_by(status, 1) == INPUT
    assert held_by(status, 2) is None
    assert held_by(status_of(situation(), {}, NOW), 1) is None
    assert held_by({}, 1) is None


# Acceptance.

SHARED = {"spec": {"accessModes": ["ReadWriteMany"]}}


def test_workers_run_as_the_operator_does() -> None:
    """It publishes and removes what they have written."""
    other = run_object(workers={"podTemplate": {"securityContext": {"runAsUser": 4242}}})
    found = objection(Asked(other, "shared", SHARED, (10001, 10001)))
    assert found is not None
    assert found.message.startswith(
        "spec.workers.podTemplate.securityContext.runAsUser: found 4242; expected 10001"
    )
    assert objection(Asked(other, "shared", SHARED, (4242, 10001))) is None
    group = run_object(workers={"podTemplate": {"securityContext": {"runAsGroup": 7}}})
    assert objection(Asked(group, "shared", SHARED)) is not None


def reason(claim: Any = SHARED, **spec: Any) -> str | None:
    finding = objection(Asked(run_object(**spec), "autolfads", claim))
    return finding.reason if finding is not None else None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, None),
        ({"data": {"path": "a/b.h5"}, "configFile": "c.yaml"}, None),
        ({"data": {"path": "/data/b.h5"}}, "PathOutsideData"),
        ({"data": {"path": "a/../../b.h5"}}, "PathOutsideData"),
        ({"configFile": "../c.yaml"}, "PathOutsideData"),
        (
            {"workers": {"podTemplate": {"volumes": [{"name": "scratch"}]}}},
            "PodTemplateInvalid",
        ),
    ],
)
def test_what_is_not_taken_up(spec: dict[str, Any], expected: str | None) -> None:
    assert reason(**spec) == expected


def test_what_is_nested_without_end_is_not_taken_up() -> None:
    deep: dict[str, Any] = {}
    for _ in range(150):
        deep = {"a": [deep]}
    assert reason(config=deep) == "Unsupported"


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (None, "ClaimMissing"),
        ({"spec": {"accessModes": ["ReadWriteOnce"]}}, "ClaimNotShared"),
        ({"spec": {}}, "ClaimNotShared"),
        ({"spec": {"accessModes": ["ReadOnlyMany", "ReadWriteMany"]}}, None),
    ],
)
def test_the_claim_must_be_there_and_shared(claim: Any, expected: str | None) -> None:
    assert reason(claim) == expected


# Limits.


@pytest.mark.parametrize(("seconds", "past"), [(None, False), (3599, True), (3600, False)])
def test_a_deadline_counts_from_the_start(seconds: int | None, past: bool) -> None:
    run = run_object(activeDeadlineSeconds=seconds)
    limits = Limits(run, "2026-11-01T12:00:00Z", LATER.timestamp())
    assert limits.past_deadline is past
    assert not Limits(run, None, LATER.timestamp()).past_deadline


def test_an_object_is_deleted_some_time_after_its_end() -> None:
    run = run_object(ttlSecondsAfterFinished=60)
    limits = Limits(run, "2026-11-01T11:00:00Z", NOW.timestamp())
    assert limits.until_deletion("2026-11-01T12:00:00Z") == 60
    assert limits.until_deletion(None) is None
    assert Limits(run_object(), None, 0.0).until_deletion("2026-11-01T12:00:00Z") is None


def test_a_worker_that_died_is_no_worker_that_is_ready() -> None:
    dead = facts_of([pod_body("a", phase="Failed", state=ended(1)), pod_body("b")])
    assert situation(pods=dead).ready == 1


def test_workers_above_the_members_are_told_of() -> None:
    said = CONDITIONS["WorkersReady"](situation(run=run_object(workers={"count": 2}))).message
    assert said == "all 2 workers have shown life"
    said = CONDITIONS["WorkersReady"](situation(run=run_object(workers={"count": 8}))).message
    assert said.endswith("; spec.workers.count is 8, and 2 members keep no more at work")


@pytest.mark.parametrize(
    ("kind", "role", "more"),
    [("WorkersReady", "worker", {}), ("DataReady", "prepare", NOT_PREPARED)],
)
def test_what_no_node_has_room_for_is_named(kind: str, role: str, more: dict[str, Any]) -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/1 nodes are available: 1 Insufficient memory.",
    }
    waits = pods("a", role=role, phase="Pending", conditions=(condition,))
    run = run_object(workers={"resources": {"memory": "900Gi"}})
    said = CONDITIONS[kind](situation(run=run, **{**more, "pods": waits})).message
    assert said.endswith("1 Insufficient memory. See spec.workers.resources.memory (900Gi)")


def test_bodies_of_the_tests_are_runs() -> None:
    assert run_body()["metadata"]["uid"] == run_object().uid
