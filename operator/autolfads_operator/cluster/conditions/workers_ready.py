"""`WorkersReady`: whether all workers that were asked for have shown life, or what keeps them."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.obstacles import asked_for, queued
from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import WORKER, Condition, Reason
from autolfads_operator.cluster.packing.base import Finding


def workers_ready(now: Situation) -> Verdict:
    """Return it. Of several obstacles the one is told that has to be mended first."""
    if now.ended:
        return Verdict("False", Reason.OVER, "the run is over, and its workers are given back")
    if now.held is not None and now.held.condition == Condition.WORKERS_READY:
        return Verdict("False", now.held.finding.reason, now.held.finding.message)
    if now.wanted.stage == "rest":
        left = len(now.workers)
        words = f"{left} workers save and leave" if left else "no worker is asked for"
        return Verdict("False", Reason.SAVING if left else Reason.NONE_WANTED, words)
    # Told before any pod is made, and also while the data are looked at: it takes long to mend.
    unseen = now.lacking is not None and now.lacking.reason == Reason.FORBIDDEN
    if now.lacking is not None and not unseen and now.ready < now.wanted.count:
        return Verdict("False", now.lacking.reason, now.lacking.message)
    if now.wanted.stage != "train":
        return Verdict("False", Reason.WAITING_FOR_DATA, "workers come when the data are checked")
    obstacle = now.not_made or queued(now) or _of_pods(now) or now.died
    if now.ready >= now.wanted.count:
        return Verdict("True", Reason.READY, _all_ready(now))
    so_far = f"{now.ready} of {now.wanted.count} workers have shown life"
    if obstacle is not None:
        why = f"; {now.lacking.message}" if now.lacking is not None else ""
        return Verdict("False", obstacle.reason, f"{so_far}; {obstacle.message}{why}")
    return Verdict("False", Reason.STARTING, so_far)


def _all_ready(now: Situation) -> str:
    wanted, asked = now.wanted.count, now.run.spec.workers.count
    said = f"all {wanted} workers have shown life"
    if wanted < asked:
        said += f"; spec.workers.count is {asked}, and {wanted} members keep no more at work"
    return said


def _of_pods(now: Situation) -> Finding | None:
    for reason in (
        Reason.IMAGE_NOT_PULLED,
        Reason.POD_NOT_STARTED,
        Reason.UNSCHEDULABLE,
    ):
        waiting = [
            pod
            for pod in now.pods
            if pod.role == WORKER and pod.waits_for is not None and pod.waits_for.reason == reason
        ]
        if waiting:
            first = waiting[0]
            assert first.waits_for is not None  # noqa: S101
            others = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
            said = first.waits_for.message + asked_for(now, first)
            return Finding(reason, f"pod {first.name}{others}: {said}")
    return None
