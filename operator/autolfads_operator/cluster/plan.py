"""What to do in the cluster for a run: from what is there to what should be. Pure.

The run directory decides the training; this decides which Jobs there are, of what size, and which
pods are killed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autolfads_operator.cluster.children.claims import resource_claims
from autolfads_operator.cluster.children.jobs import prepare_job, worker_jobs
from autolfads_operator.cluster.names import CLAIM, MADE_FROM, PREPARE, QUEUE, ROLE
from autolfads_operator.cluster.pod_facts import PodFacts
from autolfads_operator.cluster.run_object import RunObject
from autolfads_operator.cluster.settings import OperatorSettings

Stage = Literal["unknown", "rest", "prepare", "train"]


@dataclass(frozen=True)
class Create:
    """Make an object, unless one of its name is there."""

    body: Mapping[str, Any]


@dataclass(frozen=True)
class Resize:
    """Change a Job's number of workers."""

    job: str
    count: int


@dataclass(frozen=True)
class Suspend:
    """Give a Job's pods back, or have them again."""

    job: str
    suspended: bool


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job, its pods, and the claim that they shared."""

    job: str
    uid: str
    claim: str | None


@dataclass(frozen=True)
class KillPod:
    """Have a pod away without waiting for its node, which may be no more."""

    pod: str
    uid: str


Action = Create | Resize | Suspend | DeleteJob | KillPod


@dataclass(frozen=True)
class Wanted:
    """What a run should have: nothing, a pod that prepares, or `count` workers.

    Unknown: what there is stays, until the run directory has been read.
    """

    stage: Stage
    count: int = 1


def plan(
    run: RunObject,
    settings: OperatorSettings,
    wanted: Wanted,
    jobs: Sequence[Mapping[str, Any]],
    pods: Sequence[PodFacts],
    dropped: frozenset[str],
) -> list[Action]:
    """Return what to do now; the same again is harmless. `dropped` are lives given up for dead."""
    actions: list[Action] = [
        KillPod(pod.name, pod.uid) for pod in pods if pod.uid in dropped and pod.phase != "over"
    ]
    there = [job for job in jobs if "deletionTimestamp" not in job["metadata"]]
    if wanted.stage == "unknown":
        return actions
    if wanted.stage == "rest":
        return [*actions, *_rest(there)]
    if wanted.stage == "prepare":
        return [*actions, *_towards([prepare_job(run, settings)], {}, there)]
    claims = {claim["metadata"]["name"]: claim for claim in resource_claims(run, wanted.count)}
    bodies = worker_jobs(run, settings, wanted.count)
    return [*actions, *_towards(bodies, claims, there)]


def _towards(
    bodies: Sequence[Mapping[str, Any]],
    claims: Mapping[str, Mapping[str, Any]],
    there: Sequence[Mapping[str, Any]],
) -> Iterator[Action]:
    made_from = {body["metadata"]["name"]: _made_from(body) for body in bodies}
    found = {job["metadata"]["name"]: job for job in there}
    replaced: set[str] = set()
    for name, old in found.items():
        # One that is over will not start a pod again; the run is not over, so there is a new one.
        if name not in made_from or made_from[name] != _made_from(old) or _is_over(old):
            yield _delete(old)
            replaced.add(name)
    for body in bodies:
        name = body["metadata"]["name"]
        if name in replaced:
            continue
        job = found.get(name)
        if job is None:
            shared = body["metadata"]["labels"].get(CLAIM)
            if shared is not None:
                yield Create(claims[shared])
            yield Create(body)
            continue
        size = body["spec"]["parallelism"]
        if job["spec"].get("parallelism") != size or job["spec"].get("completions") != size:
            yield Resize(name, size)
        if job["spec"].get("suspend") and not _is_queued(job):
            yield Suspend(name, suspended=False)


def _rest(there: Sequence[Mapping[str, Any]]) -> Iterator[Action]:
    """Give back all pods. Jobs that are over stay, with their pods' logs."""
    for job in there:
        if _is_over(job):
            continue
        # Kueue says when a queued Job runs, and would start one again that we suspend.
        if _is_queued(job) or job["metadata"]["labels"].get(ROLE) == PREPARE:
            yield _delete(job)
        elif not job["spec"].get("suspend"):
            yield Suspend(job["metadata"]["name"], suspended=True)


def _delete(job: Mapping[str, Any]) -> DeleteJob:
    metadata = job["metadata"]
    return DeleteJob(metadata["name"], metadata["uid"], metadata.get("labels", {}).get(CLAIM))


def _made_from(job: Mapping[str, Any]) -> str | None:
    found: str | None = job["metadata"].get("annotations", {}).get(MADE_FROM)
    return found


def _is_queued(job: Mapping[str, Any]) -> bool:
    return QUEUE in job["metadata"].get("labels", {})


def _is_over(job: Mapping[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions") or []
    return any(
        each.get("type") in ("Complete", "Failed") and each.get("status") == "True"
        for each in conditions
    )
