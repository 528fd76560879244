"""Why the cluster does not make what was asked for: a child that is refused, or a Job's pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from autolfads_operator.cluster.children.in_the_manifest import in_the_manifest
from autolfads_operator.cluster.client import FORBIDDEN, ApiError
from autolfads_operator.cluster.cluster_facts import ClusterFacts
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.plan import Action, Create, Wanted
from autolfads_operator.cluster.pod_facts import PodFacts
from autolfads_operator.cluster.run_object import RunObject

PODS_ARE_MADE = 5.0  # seconds that a Job takes at most to make its pods
ASK_WHY = 20.0  # seconds between questions why it does not


class Unmade:
    """What was last found of one run."""

    def __init__(self, facts: ClusterFacts, clock: Callable[[], float] = time.monotonic) -> None:
        self._facts, self._clock = facts, clock
        self._finding: Finding | None = None
        self._short_since: float | None = None
        self._asked = 0.0

    def refused(self, error: ApiError, run: RunObject, actions: Sequence[Action]) -> Finding:
        """Note that the API has refused a child or a change of one, for good."""
        reason = Reason.FORBIDDEN if error.status == FORBIDDEN else Reason.POD_REFUSED
        said = str(error)
        jobs = [
            each.body for each in actions if isinstance(each, Create) and each.body["kind"] == "Job"
        ]
        if jobs:  # all have the same template, but for a claim
            said = in_the_manifest(said, run.spec.workers.pod_template, jobs[0])
        self._finding = Finding(reason, said)
        return self._finding

    async def look(
        self, wanted: Wanted, jobs: Sequence[Any], pods: Sequence[PodFacts]
    ) -> Finding | None:
        """Return why pods are missing; None: none is, or it is too soon to say.

        Raises `ApiError`.
        """
        alive = [pod for pod in pods if pod.phase != "over"]
        starting = [job for job in jobs if not job["spec"].get("suspend")]
        now = self._clock()
        enough = len(alive) >= wanted.count or wanted.stage not in ("prepare", "train")
        if enough or not starting:
            self._short_since = None
            if enough:
                self._finding = None
            return self._finding
        self._short_since = self._short_since or now
        if now - self._short_since >= PODS_ARE_MADE and now - self._asked >= ASK_WHY:
            self._asked = now
            self._finding = await self._why(starting, now - self._short_since) or self._finding
        return self._finding

    async def _why(self, jobs: Sequence[Any], short_for: float) -> Finding | None:
        """Return what the Job controller has said since pods are missing: events stay for hours."""
        since = datetime.now(UTC) - timedelta(seconds=short_for + PODS_ARE_MADE)
        for job in jobs:
            said = await self._facts.failed_creations(job["metadata"]["name"], since)
            if said is not None:
                return Finding(Reason.POD_REFUSED, f"no pod may be made: {said}")
        return None
