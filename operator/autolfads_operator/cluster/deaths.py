"""Pods that end without having done anything, one after another: nothing comes of a further one."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from autolfads_operator.cluster.names import PREPARE, WORKER, Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.pod_facts import PodFacts

# How many in a row tell that all will: of workers there are many at a time, and a Job waits longer
# and longer before it makes the one pod that prepares again.
MAX_BAD_STARTS = {WORKER: 5, PREPARE: 3}
# Seconds over which nodes must have refused pods: one that comes up again refuses all of a run's
# within a moment, and takes them when its GPUs are there.
NODES_COME_UP = 300.0
NEVER = "9999"  # a time after all others


class Deaths:
    """The last pods of one run that are over, also those whose Job is gone, and they with it."""

    def __init__(self) -> None:
        self._over: dict[str, PodFacts] = {}
        self._lived: set[str] = set()  # of those, and of those that run: who has shown life
        self._seen: set[str] = set()  # who was seen to run by this operator

    def last(
        self,
        role: str,
        pods: Iterable[PodFacts],
        begun: Mapping[str, str | None],
        showing_life: Collection[str] = (),
    ) -> PodFacts | None:
        """Return the last pod of a role if its pods die as they start; else None.

        To be asked only while such pods have something to do: who is not needed any more, ends.
        `begun` tells since when each Job makes pods: those from before a suspension tell nothing of
        what was changed in it. `showing_life` are the lives whose worker has said something.
        """
        pods = [pod for pod in pods if pod.role == role]
        over = [pod for pod in pods if pod.phase == "over"]
        running = {pod.uid for pod in pods if pod.phase == "running"}
        new = {pod.uid: pod for pod in over if pod.created >= (begun.get(pod.job) or NEVER)}
        known = {uid: pod for uid, pod in self._over.items() if pod.role == role}
        enough = MAX_BAD_STARTS[role]
        # One that its node refused has no time of its end.
        row = sorted((new | known).values(), key=lambda pod: pod.ended or pod.created)[-enough:]
        self._over = {pod.uid: pod for pod in row}
        self._lived = (self._lived | set(showing_life)) & (running | self._over.keys())
        self._seen = (self._seen | running) & (running | self._over.keys())
        at_work = any(uid in self._lived for uid in running)
        if at_work or len(row) < enough or not all(map(self._died, row)):
            return None
        return row[-1] if _is_long_enough(row) else None

    def _died(self, pod: PodFacts) -> bool:
        """Whether it ended before it did anything.

        Who has shown life has lived, however short that was: it was killed, or its work killed it,
        and the controller counts that. Of one that this operator has not seen running only its age
        tells.
        """
        if not pod.ended_by_itself or pod.uid in self._lived:
            return False
        return pod.role == PREPARE or pod.uid in self._seen or pod.was_short

    def so_far(self, pods: Iterable[PodFacts]) -> Finding | None:
        """Return how the last pod ended, where it was not told to and has no successor at work."""
        row = list(self._over.values())
        healthy = {(pod.job, pod.index) for pod in pods if pod.uid in self._lived}
        last = row[-1] if row else None
        if last is None or not last.ended_by_itself or (last.job, last.index) in healthy:
            return None
        how = f"exit code {last.exit_code}" if last.exit_code is not None else "refused by its node"
        said = f"pod {last.name} ended ({how})"
        if last.last_words:
            said += f": {last.last_words}"
        if bad := sum(1 for _ in itertools.takewhile(self._died, reversed(row))):
            said += f"; {bad} of the {MAX_BAD_STARTS[last.role]} in a row that end before they did "
            said += "anything, after which the run waits for you"
        return Finding(Reason.POD_DIED, said)

    def forget(self) -> None:
        """Begin anew: the user may have changed something."""
        self._over.clear()


def _is_long_enough(row: list[PodFacts]) -> bool:
    if all(pod.exit_code is not None for pod in row):
        return True
    first, last = (datetime.fromisoformat(pod.created) for pod in (row[0], row[-1]))
    return (last - first).total_seconds() >= NODES_COME_UP
