"""The status of a run, and the Events of what changed in it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from autolfads_operator.api import GROUP, KIND, VERSION
from autolfads_operator.cluster.conditions import CONDITIONS, Situation
from autolfads_operator.cluster.conditions.obstacles import to_prepare
from autolfads_operator.cluster.names import FIELD_MANAGER, ROLE, RUN_UID, WORKER, Condition, Reason
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.view.pace import duration
from autolfads_operator.view.picture import Picture

LONGEST_MESSAGE = 1000  # characters of an Event's message; the API takes 1,024
LONGEST_CONDITION = 8000

# What every run begins with or passes through, of which nobody wants to be told.
QUIET = {
    Reason.NOT_ENDED,
    Reason.NOT_FAILED,
    Reason.NOT_SUSPENDED,
    Reason.NOT_LOOKED_AT,
    Reason.WAITING_FOR_DATA,
    Reason.WAITING_FOR_WORKERS,
    Reason.NONE_WANTED,
    Reason.OVER,
}
# What goes as it should although a condition is False.
CALM = QUIET | {Reason.PREPARING, Reason.STARTING, Reason.SAVING, Reason.BY_USER, Reason.QUEUED}

ON_VOLUME = {
    Condition.DATA_READY,
    Condition.WORKERS_READY,
    Condition.SUCCEEDED,
    Condition.FAILED,
}
"""Conditions that cannot be told before the run directory has been read."""

Status = dict[str, Any]


def written(at: datetime) -> str:
    """Return a time as Kubernetes writes it (RFC 3339, in UTC)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status_of(now: Situation, before: Mapping[str, Any], time: datetime) -> Status:
    """Return the status as it should be; `before` is what it was."""
    at = written(time)
    run, seen = now.run, now.seen
    status: Status = {
        "observedGeneration": run.generation,
        "state": state_of(now),
        "conditions": _conditions(now, before, at),
        "workers": {
            "wanted": now.wanted.count if now.wanted.stage == "train" and not now.ended else 0,
            "ready": now.ready,
            "selector": f"{RUN_UID}={run.uid},{ROLE}={WORKER}",
        },
        "startTime": before.get("startTime") or (at if now.refused is None else None),
        "completionTime": before.get("completionTime") or (at if now.tidied else None),
        "runFolder": run.folder,
        "timeLeft": None,
    }
    if seen is None:
        kept = ("generation", "members", "best", "seed")
        return status | {name: before.get(name) for name in kept}
    picture = seen.picture
    if picture.population is not None:
        status["generation"] = picture.generation
        status["seed"] = picture.seed
        status["members"] = _members(now, picture, picture.population)
    if picture.best_score is not None:
        status["best"] = {
            "member": picture.best_member,
            "generation": picture.best_generation,
            "score": f"{picture.best_score:.6g}",
        }
    if seen.seconds_left is not None:
        status["timeLeft"] = _roughly(seen.seconds_left)
    return status


def _members(now: Situation, picture: Picture, population: int) -> Status:
    states = Counter(member.state for member in picture.members)
    training, waiting = states["training"], states["waiting"]
    if now.ended:
        training = 0
    elif now.held is not None or now.past_deadline:  # its workers were given back
        training, waiting = 0, waiting + training
    return {
        "total": population,
        "running": training,
        "waiting": waiting + population - len(picture.members),
        "finished": states["finished"],
        "failed": states["lost"],
    }


def state_of(now: Situation) -> str:
    """Return the run in one word, for people."""
    if now.ended:
        assert now.seen is not None and now.seen.end is not None  # noqa: S101
        return "Succeeded" if now.seen.end.state == "succeeded" else "Failed"
    if now.refused is not None:
        return "Refused"
    if now.held is not None or now.past_deadline:
        return "Failed"
    if now.stalled or now.trouble is not None:
        return "Stalled"
    if now.run.spec.suspend:
        return "Suspending" if now.alive else "Suspended"
    if now.seen is None or not now.seen.prepared:
        return "Waiting" if to_prepare(now) is not None else "Preparing"
    if now.seen.picture.state == "exporting":
        return "Exporting"
    return "Training" if now.ready else "Waiting"


def _conditions(now: Situation, before: Mapping[str, Any], at: str) -> list[dict[str, Any]]:
    earlier = {each["type"]: each for each in before.get("conditions") or []}
    conditions = []
    for kind, judge in CONDITIONS.items():
        verdict = judge(now)
        last = earlier.get(kind, {})
        told_now = now.refused is not None or (
            now.held is not None and kind in (now.held.condition, Condition.FAILED)
        )
        if now.seen is None and not told_now and kind in ON_VOLUME and last:
            conditions.append(dict(last))  # until the run directory says otherwise
            continue
        same = last.get("status") == verdict.status
        conditions.append(
            {
                "type": kind,
                "status": verdict.status,
                "reason": verdict.reason,
                "message": verdict.message[:LONGEST_CONDITION],
                "lastTransitionTime": last.get("lastTransitionTime", at) if same else at,
                "observedGeneration": now.run.generation,
            }
        )
    return conditions


def _roughly(seconds: float) -> str:
    """Round a time, so that the status is not written anew each time that it is looked at."""
    step = 10 if seconds < 600 else 60 if seconds < 7200 else 600
    return duration(max(step, round(seconds / step) * step))


def matters(status: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Return whether what changed is to be written at once: more than counts and messages."""
    names = ("observedGeneration", "state", "generation", "completionTime", "seed")
    if any(status.get(name) != before.get(name) for name in names):
        return True
    return _reasons(status) != _reasons(before)


def _reasons(status: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        each["type"]: (each["status"], each["reason"]) for each in status.get("conditions") or []
    }


def events_of(
    run: RunObject, status: Mapping[str, Any], before: Mapping[str, Any], at: datetime
) -> Iterator[dict[str, Any]]:
    """Yield one Event for each transition between two statuses, in the order of conditions."""
    earlier = _reasons(before)
    said: set[str] = set()
    for each in status["conditions"]:
        reason, message = each["reason"], each["message"]
        if earlier.get(each["type"]) == (each["status"], reason) or reason in QUIET:
            continue
        if reason in said:  # one cause can show in several conditions
            continue
        said.add(reason)
        # Lists come by name, and times count seconds: so Events of one second are told in their
        # order.
        key = f"{int(at.timestamp() * 1e6) + len(said):x}"
        if (each["type"], each["status"]) == (Condition.SUCCEEDED, "True"):
            # The last of all, and only once: an operator that is killed may see it, too, before it
            # is gone, beside the one that takes its place.
            key = f"z{run.uid[:8]}"
        yield _event(run, reason, message, at, key, warns=_warns(each))


def _warns(condition: Mapping[str, Any]) -> bool:
    if condition["type"] == Condition.FAILED:
        return bool(condition["status"] == "True")
    if condition["type"] == Condition.SUSPENDED:
        return False
    several = condition["reason"] == Reason.SEVERAL_OPERATORS
    return several or (condition["status"] == "False" and condition["reason"] not in CALM)


def _event(
    run: RunObject, reason: str, message: str, at: datetime, key: str, *, warns: bool
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{run.name}.{key}", "namespace": run.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "name": run.name,
            "namespace": run.namespace,
            "uid": run.uid,
        },
        "type": "Warning" if warns else "Normal",
        "reason": reason,
        "message": message[:LONGEST_MESSAGE],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
        "firstTimestamp": written(at),
        "lastTimestamp": written(at),
        "count": 1,
    }
