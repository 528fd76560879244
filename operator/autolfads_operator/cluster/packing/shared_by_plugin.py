"""`timeSlicing` and `mps`: the device plugin offers each GPU several times."""

from __future__ import annotations

from autolfads_operator.api import Workers
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding
from autolfads_operator.cluster.packing.extended import ExtendedResource
from autolfads_operator.cluster.packing.offers import REPLICAS, SHARING, NodeOffer


class SharedByPlugin(ExtendedResource):
    """`strategy` is the device plugin's word for the way of sharing."""

    def __init__(self, strategy: str, *, keeps_memory_apart: bool) -> None:
        self.strategy = strategy
        self._keeps_apart = keeps_memory_apart

    def memory_share(self, workers: Workers) -> float | None:
        """Return an even share where nothing else keeps workers to theirs."""
        return None if self._keeps_apart else 1 / workers.per_gpu

    def wrong(self, workers: Workers, node: NodeOffer) -> Finding | None:
        """Return what the node's labels say against it; a node without labels is trusted."""
        strategy = node.labels.get(SHARING)
        replicas = node.labels.get(REPLICAS, "")
        too_few = replicas.isdigit() and int(replicas) < workers.per_gpu
        if (strategy is None or strategy == self.strategy) and not too_few:
            return None
        how = f"{SHARING}: {strategy}" if strategy != self.strategy else f"{REPLICAS}: {replicas}"
        return Finding(
            Reason.NOT_SHARED,
            f"node {node.name} says {how}; expected {self.strategy} with {workers.per_gpu} "
            "replicas (spec.workers.perGPU): set the device plugin so, or choose another "
            "spec.workers.gpu.sharing",
        )


TIME_SLICING = SharedByPlugin("time-slicing", keeps_memory_apart=False)
MPS = SharedByPlugin("mps", keeps_memory_apart=True)
