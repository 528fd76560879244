"""Pods that the cluster took away."""

from __future__ import annotations

from collections.abc import Iterable

from autolfads_operator.cluster.names import WORKER
from autolfads_operator.cluster.pod_facts import PodFacts


class Preempted:
    """Counts each of one run's workers once, however often it is looked at."""

    def __init__(self) -> None:
        self.count = 0
        self._known: set[str] = set()

    def note(self, pods: Iterable[PodFacts]) -> None:
        """Take the pods that there are."""
        now = {pod.uid for pod in pods if pod.role == WORKER and pod.disrupted}
        self.count += len(now - self._known)
        self._known = now  # who is gone does not come back
