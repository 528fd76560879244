"""What a pod's object says, in the few words that decisions need. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from autolfads_operator.cluster.names import CONTAINER, LEFT, ROLE, Reason
from autolfads_operator.cluster.packing.base import Finding

Phase = Literal["waiting", "running", "over"]

# Why a container does not start, by what kubelet calls it.
PULLS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
         "ImageInspectError", "RegistryUnavailable")  # fmt: skip
CANNOT_START = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
SOON = 20.0  # seconds: who ends sooner has not done anything


@dataclass(frozen=True)
class PodFacts:
    """One pod: its life, and how far that is."""

    name: str
    uid: str
    role: str
    job: str
    index: str
    phase: Phase
    created: str
    leaving: bool = False  # it is being deleted
    node: str | None = None
    node_lost: bool = False  # its node has not been heard of
    waits_for: Finding | None = None  # why it does not start
    exit_code: int | None = None
    ended: str = ""
    disrupted: bool = False  # evicted, preempted, its node drained: nothing of its own
    lived: float = 0.0  # seconds, of one that is over
    last_words: str = ""

    @property
    def ended_by_itself(self) -> bool:
        """Whether it is over, and nobody had told it to leave or taken it away.

        Without an exit code its node has refused it; with 0 it may be no worker at all, but an
        image that does something else.
        """
        told = self.leaving or self.disrupted or self.exit_code == LEFT
        return self.phase == "over" and not told

    @property
    def was_short(self) -> bool:
        """Whether it lived too shortly to have done anything."""
        return self.lived < SOON


def facts_of(pods: Iterable[Mapping[str, Any]]) -> tuple[PodFacts, ...]:
    """Return the facts of pods, oldest first."""
    return tuple(sorted(map(_facts, pods), key=lambda each: (each.created, each.name)))


def _facts(pod: Mapping[str, Any]) -> PodFacts:
    metadata, status = pod["metadata"], pod.get("status", {})
    labels = metadata.get("labels", {})
    state = _container_state(status)
    ended = state.get("terminated")
    over = status.get("phase") in ("Succeeded", "Failed") or ended is not None
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    running = "running" in state and status.get("phase") == "Running"
    ready = conditions.get("Ready", {})
    return PodFacts(
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        role=str(labels.get(ROLE, "")),
        job=str(labels.get("batch.kubernetes.io/job-name", "")),
        index=str(labels.get("batch.kubernetes.io/job-completion-index", "")),
        phase="over" if over else "running" if running else "waiting",
        created=str(metadata.get("creationTimestamp", "")),
        leaving="deletionTimestamp" in metadata,
        node=pod.get("spec", {}).get("nodeName"),
        # There is no readiness probe: only the node's controller says that a running one is not.
        node_lost=running and ready.get("status") == "False",
        waits_for=None if over or running else _waits_for(state, conditions),
        exit_code=ended.get("exitCode") if ended else None,
        ended=str((ended or {}).get("finishedAt") or ""),
        disrupted=conditions.get("DisruptionTarget", {}).get("status") == "True",
        lived=_seconds(ended) if ended else 0.0,
        last_words=_last_words(ended, status),
    )


def _container_state(status: Mapping[str, Any]) -> Mapping[str, Any]:
    for each in status.get("containerStatuses") or []:
        if each.get("name") == CONTAINER:
            state: Mapping[str, Any] = each.get("state") or {}
            return state
    return {}


def _waits_for(
    state: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]
) -> Finding | None:
    waiting = state.get("waiting") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message") or ""
    if reason in PULLS:
        said = f"{reason}: {message or 'no word why'}; see spec.workers.podTemplate.image"
        return Finding(Reason.IMAGE_NOT_PULLED, said)
    if reason in CANNOT_START:
        return Finding(Reason.POD_NOT_STARTED, f"{reason}: {message or 'no word why'}")
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Finding(Reason.UNSCHEDULABLE, str(scheduled.get("message") or "no word why"))
    return None


def _seconds(ended: Mapping[str, Any]) -> float:
    try:
        start, end = (
            datetime.fromisoformat(str(ended[name])) for name in ("startedAt", "finishedAt")
        )
    except (KeyError, ValueError):
        return 0.0
    # One that could not even be started has no time of its start: the year is 1970.
    return (end - start).total_seconds() if start.year > 1970 else 0.0


def _last_words(ended: Mapping[str, Any] | None, status: Mapping[str, Any]) -> str:
    if ended is None:
        return str(status.get("message") or status.get("reason") or "")
    if ended.get("reason") == "OOMKilled":
        return "it needed more memory than spec.workers.resources.memory (OOMKilled)"
    lines = str(ended.get("message") or "").strip().splitlines()
    return "\n".join(lines[-5:])
