"""`Accepted`: whether the operator takes the run up."""

from __future__ import annotations

from autolfads_operator.cluster.conditions.situation import Situation, Verdict
from autolfads_operator.cluster.names import Reason


def accepted(now: Situation) -> Verdict:
    """Return it."""
    if now.refused is not None:
        return Verdict("False", now.refused.reason, now.refused.message)
    if now.other_operators:
        others = ", ".join(now.other_operators)
        return Verdict(
            "True",
            Reason.SEVERAL_OPERATORS,
            f"taken up; but {others} looks after this namespace, too. Nothing is lost, and one is "
            "enough: scale the others to 0",
        )
    return Verdict("True", Reason.ACCEPTED, "taken up")
