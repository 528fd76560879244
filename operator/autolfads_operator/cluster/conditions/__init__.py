"""What holds of a run, one file for each condition: pure functions of a `Situation`."""

from __future__ import annotations

from collections.abc import Callable

from autolfads_operator.cluster.conditions.accepted import accepted
from autolfads_operator.cluster.conditions.data_ready import data_ready
from autolfads_operator.cluster.conditions.ended import failed, succeeded
from autolfads_operator.cluster.conditions.progressing import progressing
from autolfads_operator.cluster.conditions.situation import Held, Situation, Verdict
from autolfads_operator.cluster.conditions.suspended import suspended
from autolfads_operator.cluster.conditions.workers_ready import workers_ready
from autolfads_operator.cluster.names import Condition

CONDITIONS: dict[str, Callable[[Situation], Verdict]] = {
    Condition.ACCEPTED: accepted,
    Condition.DATA_READY: data_ready,
    Condition.WORKERS_READY: workers_ready,
    Condition.PROGRESSING: progressing,
    Condition.SUSPENDED: suspended,
    Condition.SUCCEEDED: succeeded,
    Condition.FAILED: failed,
}

__all__ = ["CONDITIONS", "Held", "Situation", "Verdict"]
