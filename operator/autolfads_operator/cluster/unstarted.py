"""Pods that wait and do not say why: a volume that cannot be mounted, a scheduler that is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.pod_facts import PodFacts
from autolfads_operator.cluster.unmade import ASK_WHY

NORMAL = 8.0  # seconds that a pod may take without a word


class Unstarted:
    """What was last found of one run's pods: only Events tell it, and they are asked for seldom."""

    def __init__(self, facts: ClusterFacts, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts, self._clock = facts, clock
        self._since: dict[str, float] = {}
        self._finding: Finding | None = None
        self._next = 0.0

    async def look(self, pods: Sequence[PodFacts]) -> Finding | None:
        """Return what keeps the oldest pod that has waited for long. Raises `ApiError`."""
        now = self._clock()
        waiting = [
            pod for pod in pods
            if pod.phase == "waiting" and pod.waits_for is None and not pod.leaving
        ]  # fmt: skip
        self._since = {pod.uid: self._since.get(pod.uid, now) for pod in waiting}
        late = [pod for pod in waiting if now - self._since[pod.uid] >= NORMAL]
        if not late:
            self._finding = None
        elif now >= self._next:
            self._next = now + ASK_WHY
            self._finding = await self._why(late[0])
        return self._finding

    async def _why(self, pod: PodFacts) -> Finding | None:
        said = await self._facts.last_warning(pod.uid)
        if said is not None:
            return Finding(Reason.POD_NOT_STARTED, f"pod {pod.name}: {said}")
        if pod.node is None:
            words = "no scheduler has taken it or said why not; is podTemplate.schedulerName right?"
            return Finding(Reason.UNSCHEDULABLE, f"pod {pod.name}: {words}")
        return None  # a large image is pulled
