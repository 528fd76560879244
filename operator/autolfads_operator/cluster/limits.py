"""`activeDeadlineSeconds` and `ttlSecondsAfterFinished`: what the time of day decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from autolfads_operator.cluster.run_object import RunObject


@dataclass(frozen=True)
class Limits:
    """A run's limits at `now` (seconds since 1970); `started` is its startTime, if it has one."""

    run: RunObject
    started: str | None
    now: float

    @property
    def past_deadline(self) -> bool:
        """Whether the run should have ended by now."""
        most = self.run.spec.active_deadline_seconds
        if most is None or self.started is None:
            return False
        return self.now - seconds_of(self.started) > most

    def until_deletion(self, ended: str | None) -> float | None:
        """Return the seconds until the run's object is deleted; None: it is not."""
        kept = self.run.spec.ttl_seconds_after_finished
        if kept is None or ended is None:
            return None
        return seconds_of(ended) + kept - self.now


def seconds_of(time: str) -> float:
    """Return a time as the API writes it in seconds since 1970."""
    return datetime.fromisoformat(time).timestamp()
