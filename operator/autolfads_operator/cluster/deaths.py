"""Pods that end as they start, one after another: nothing will come of a further one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from autolfads_operator.cluster.names import PREPARE, WORKER, Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.pod_facts import PodFacts

# How many in a row tell that all will: of workers there are many at a time, and a Job waits longer
# and longer before it makes the one pod that prepares again.
MAX_BAD_STARTS = {WORKER: 5, PREPARE: 3}
NEVER = "9999"  # a time after all others


class Deaths:
    """The last pods of one run that are over, also those whose Job is gone, and they with it."""

    def __init__(self) -> None:
        self._over: dict[str, PodFacts] = {}
        self._one_runs = False

    def last(
        self, role: str, pods: Iterable[PodFacts], begun: Mapping[str, str | None]
    ) -> PodFacts | None:
        """Return the last pod of a role if its pods die as they start; else None.

        To be asked only while such pods have something to do: who is not needed any more, ends.
        `begun` tells since when each Job makes pods: those from before a suspension tell nothing of
        what was changed in it.
        """
        pods = [pod for pod in pods if pod.role == role]
        over = [pod for pod in pods if pod.phase == "over"]
        new = {pod.uid: pod for pod in over if pod.created >= (begun.get(pod.job) or NEVER)}
        known = {uid: pod for uid, pod in self._over.items() if pod.role == role}
        enough = MAX_BAD_STARTS[role]
        row = sorted((new | known).values(), key=lambda pod: pod.ended)[-enough:]
        self._over = {pod.uid: pod for pod in row}
        self._one_runs = any(pod.phase == "running" for pod in pods)
        if self._one_runs:
            return None
        if len(row) == enough and all(pod.bad_start for pod in row):
            return row[-1]
        return None

    def so_far(self) -> Finding | None:
        """Return how the last pod ended, where it did as it started and none runs now."""
        row = list(self._over.values())
        if not row or self._one_runs or not row[-1].bad_start:
            return None
        bad = sum(1 for _ in itertools.takewhile(lambda pod: pod.bad_start, reversed(row)))
        last = row[-1]
        how = f"exit code {last.exit_code}" if last.exit_code is not None else "refused by its node"
        said = f": {last.last_words}" if last.last_words else ""
        return Finding(
            Reason.POD_DIED,
            f"pod {last.name} ended as it started ({how}){said}; {bad} of the "
            f"{MAX_BAD_STARTS[last.role]} in a row after which the run waits for you",
        )

    def forget(self) -> None:
        """Begin anew: the user may have changed something."""
        self._over.clear()
