"""`Suspended`: whether the user's `suspend` has taken effect."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import Reason


def suspended(now: Situation) -> Verdict:
    """Return it: True when all pods are gone."""
    if now.ended or not now.run.spec.suspend:
        return Verdict("False", Reason.NOT_SUSPENDED, "the run is not suspended")
    if now.alive and now.not_made is not None:
        return Verdict("False", now.not_made.reason, now.not_made.message)
    if now.alive:
        return Verdict("False", Reason.SAVING, f"{len(now.alive)} pods save and leave")
    return Verdict("True", Reason.BY_USER, "all workers are given back; what they did is saved")
