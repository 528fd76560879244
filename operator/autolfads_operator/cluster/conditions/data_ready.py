"""`DataReady`: whether data and configuration were checked and frozen."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.obstacles import to_prepare
from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import Condition, Reason


def data_ready(now: Situation) -> Verdict:
    """Return it; where the pod that prepares does not come up, why."""
    if now.held is not None and now.held.condition == Condition.DATA_READY:
        return Verdict("False", now.held.finding.reason, now.held.finding.message)
    if now.seen is not None and now.seen.prepared:
        picture = now.seen.picture
        notes = "; ".join(picture.notes)
        return Verdict(
            "True",
            Reason.PREPARED,
            "data and configuration are checked" + (f": {notes}" if notes else ""),
        )
    if now.refused is not None:
        return Verdict("Unknown", Reason.NOT_LOOKED_AT, "the run is not taken up")
    if (obstacle := to_prepare(now)) is not None:
        return Verdict("False", obstacle.reason, obstacle.message)
    if now.run.spec.suspend:
        return Verdict("False", Reason.WAITING_TO_PREPARE, "they are checked when it goes on")
    return Verdict("False", Reason.PREPARING, "data and configuration are being checked")
