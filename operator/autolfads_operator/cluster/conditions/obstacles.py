"""What keeps pods from being made, or from starting."""

from __future__ import annotations

from collections.abc import Iterator

from autolfads_operator.cluster.conditions.situation import Situation
from autolfads_operator.cluster.names import PREPARE, QUEUE, Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.pod_facts import PodFacts


def to_prepare(now: Situation) -> Finding | None:
    """Return what keeps the pod that prepares."""
    return now.not_made or queued(now) or next(_of_pods(now), None) or now.died


def _of_pods(now: Situation) -> Iterator[Finding]:
    for pod in now.pods:
        if pod.role == PREPARE and pod.waits_for is not None:
            yield Finding(pod.waits_for.reason, pod.waits_for.message + asked_for(now, pod))


def asked_for(now: Situation, pod: PodFacts) -> str:
    """Return where the manifest says how much a pod asks for that no node has room for; or ''."""
    found = pod.waits_for
    if found is None or found.reason != Reason.UNSCHEDULABLE:
        return ""
    short = [name for name in ("cpu", "memory") if f"Insufficient {name}" in found.message]
    if not short:
        return ""
    asked = now.run.spec.workers.resources
    fields = " and ".join(f"spec.workers.resources.{n} ({getattr(asked, n)})" for n in short)
    return f" See {fields}"


def queued(now: Situation) -> Finding | None:
    """Return that Kueue has not admitted a Job of the run yet."""
    waits = [
        job["metadata"]["name"]
        for job in now.jobs
        if QUEUE in job["metadata"].get("labels", {}) and job["spec"].get("suspend")
    ]
    if not waits:
        return None
    return Finding(
        Reason.QUEUED,
        f"waits in the queue {now.run.queue} for Kueue to admit it: `kubectl describe workload`",
    )
