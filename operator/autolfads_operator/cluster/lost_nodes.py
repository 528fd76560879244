"""Nodes that are not heard of any more, and when their workers are given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from autolfads_operator.cluster.pod_facts import PodFacts

GIVEN_UP = 30.0  # seconds since a worker's node was found lost


class LostNodes:
    """Since when pods of one run have been on a node that is lost, by this operator's clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def given_up(self, pods: Iterable[PodFacts]) -> set[str]:
        """Return the lives that are not waited for any longer; one whose node is back is."""
        now = self._clock()
        lost = [pod.uid for pod in pods if pod.node_lost]
        self._since = {uid: self._since.get(uid, now) for uid in lost}
        return {uid for uid, since in self._since.items() if now - since > GIVEN_UP}
