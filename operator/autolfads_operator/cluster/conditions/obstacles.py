"""What keeps pods from being made, or from starting."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.situation import Situation
from autolfads_operator.cluster.names import PREPARE, QUEUE, Reason
from autolfads_operator.cluster.packing.base import Finding


def to_prepare(now: Situation) -> Finding | None:
    """Return what keeps the pod that prepares."""
    waiting = (pod.waits_for for pod in now.pods if pod.role == PREPARE)
    return now.not_made or queued(now) or next((each for each in waiting if each), None)


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
