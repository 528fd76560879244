"""`none`: no GPU."""

from __future__ import annotations

from autolfads_operator.api import Workers
from autolfads_operator.cluster.packing.base import Finding, Packing
from autolfads_operator.cluster.packing.offers import Offer


class Cpu(Packing):
    """Nothing but cores and memory, of which the scheduler tells."""

    def limits(self, workers: Workers) -> dict[str, str]:
        """Return nothing."""
        del workers
        return {}

    def gpu_share(self, workers: Workers) -> float:
        """Return 0."""
        del workers
        return 0.0

    def lacking(self, workers: Workers, count: int, offer: Offer) -> Finding | None:
        """Return nothing."""
        del workers, count, offer
        return None


CPU = Cpu()
