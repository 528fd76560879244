"""`Progressing`: whether the run gets on, or what it waits for."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.obstacles import to_prepare
from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import Reason


def progressing(now: Situation) -> Verdict:
    """Return it."""
    if now.ended:
        return Verdict("False", Reason.OVER, "the run is over")
    if now.refused is not None:
        return Verdict("False", now.refused.reason, "the run is not taken up")
    if now.held is not None:
        return Verdict("False", now.held.finding.reason, now.held.finding.message)
    if now.past_deadline:
        return Verdict("False", Reason.DEADLINE, "its time is over")
    if now.stalled:
        return Verdict("False", Reason.VOLUME_STALLED, f"{now.trouble}; the run goes on with it")
    if now.trouble is not None:
        return Verdict("False", Reason.VOLUME_TROUBLE, f"{now.trouble}; the run goes on after that")
    if now.run.spec.suspend:
        return Verdict("False", Reason.BY_USER, "suspended: set spec.suspend: false to go on")
    if (now.seen is None or not now.seen.prepared) and (obstacle := to_prepare(now)) is not None:
        return Verdict("False", obstacle.reason, obstacle.message)
    if now.seen is None or not now.seen.prepared:
        return Verdict("True", Reason.PREPARING, "data and configuration are being checked")
    if now.seen.picture.state == "exporting":
        return Verdict("True", Reason.EXPORTING, "the best member's rates are computed")
    if now.ready == 0:
        return Verdict("False", Reason.WAITING_FOR_WORKERS, "no worker has shown life yet")
    picture = now.seen.picture
    return Verdict("True", Reason.TRAINING, f"{picture.population} members are in training")
