"""`exclusive`: a whole GPU for each worker."""

from __future__ import annotations

from autolfads_operator.api import Workers
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.packing.extended import ExtendedResource
from autolfads_operator.cluster.packing.offers import REPLICAS, SHARING, NodeOffer


class Exclusive(ExtendedResource):
    """One of the resource, which must be a whole GPU."""

    def gpu_share(self, workers: Workers) -> float:
        """Return 1."""
        del workers
        return 1.0

    def wrong(self, workers: Workers, node: NodeOffer) -> Finding | None:
        """Return that the node offers parts of GPUs under this name, if its labels say so."""
        del workers
        strategy, replicas = node.labels.get(SHARING), node.labels.get(REPLICAS, "")
        if strategy in (None, "none") and not (replicas.isdigit() and int(replicas) > 1):
            return None
        return Finding(
            Reason.GPU_IS_SHARED,
            f"node {node.name} offers each GPU several times ({SHARING}: {strategy}, {REPLICAS}: "
            f"{replicas or 'not told'}); expected whole GPUs: choose the spec.workers.gpu.sharing "
            "that it has, or nodes whose device plugin does not share",
        )


EXCLUSIVE = Exclusive()
