"""`DataReady`: whether data and configuration were checked and frozen."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import PREPARE, Condition, Reason


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
    if now.not_made is not None:
        return Verdict("False", now.not_made.reason, now.not_made.message)
    for pod in now.pods:
        if pod.role == PREPARE and pod.waits_for is not None:
            return Verdict("False", pod.waits_for.reason, pod.waits_for.message)
    return Verdict("False", Reason.PREPARING, "data and configuration are being checked")
