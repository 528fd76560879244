"""`Succeeded` and `Failed`: how the run ended, or why it cannot go on."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import Reason


def succeeded(now: Situation) -> Verdict:
    """Return whether the results are there."""
    end = now.seen.end if now.seen is not None else None
    if end is None:
        return Verdict("False", Reason.NOT_ENDED, "the run has not ended")
    if end.state != "succeeded":
        return Verdict("False", Reason.MEMBERS_LOST, end.reason)
    where = f"{now.run.folder}/results/autolfads.zip"
    return Verdict("True", Reason.ENDED, f"{end.reason}; the results are in {where} on the volume")


def failed(now: Situation) -> Verdict:
    """Return whether the run failed; one that waits for its user has failed until that is mended.

    That it can go on then is said in the message.
    """
    end = now.seen.end if now.seen is not None else None
    if end is not None:
        if end.state == "failed":
            return Verdict("True", Reason.MEMBERS_LOST, end.reason)
        return Verdict("False", Reason.NOT_FAILED, "the run succeeded")
    if now.past_deadline:
        seconds = now.run.spec.active_deadline_seconds
        return Verdict(
            "True",
            Reason.DEADLINE,
            f"not ended within activeDeadlineSeconds ({seconds} s); what was done is saved: raise "
            "it, and the run goes on",
        )
    if now.refused is not None:
        return Verdict("True", now.refused.reason, now.refused.message)
    if now.held is not None:
        return Verdict("True", now.held.finding.reason, now.held.finding.message)
    return Verdict("False", Reason.NOT_FAILED, "the run has not failed")
