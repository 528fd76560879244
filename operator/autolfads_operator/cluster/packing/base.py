"""What a way of sharing GPUs has to say: what a pod asks for, and what nodes lack for it."""

from __future__ import annotations

from dataclasses import dataclass

from autolfads_operator.api import Workers
from autolfads_operator.cluster.packing.offers import NodeOffer, Offer


@dataclass(frozen=True)
class Group:
    """Workers of one Indexed Job; with `claim`, pods that share one ResourceClaim."""

    suffix: str
    size: int
    claim: bool = False


@dataclass(frozen=True)
class Finding:
    """Something that keeps workers from running, and what to change."""

    reason: str
    message: str


class Packing:
    """One way of sharing. Pure; `workers` is what the run asks for."""

    def limits(self, workers: Workers) -> dict[str, str]:
        """Return the extended resources that a worker asks for."""
        raise NotImplementedError

    def memory_share(self, workers: Workers) -> float | None:
        """Return the share of its GPU's memory that a worker keeps to by itself.

        None: it need not, since it is alone there or kept apart by the device.
        """
        del workers
        return None

    def gpu_share(self, workers: Workers) -> float:
        """Return how much of a GPU a worker has, to count what a run uses: an even share."""
        return 1 / workers.per_gpu

    def groups(self, workers: Workers, count: int) -> tuple[Group, ...]:
        """Return the Jobs that `count` workers make."""
        del workers
        return (Group("workers", count),)

    def lacking(self, workers: Workers, count: int, offer: Offer) -> Finding | None:
        """Return what nodes lack for `count` workers; None: nothing that can be seen."""
        raise NotImplementedError


def fitting(offer: Offer, workers: Workers) -> tuple[NodeOffer, ...]:
    """Return the nodes that the run's nodeSelector leaves."""
    selector = workers.pod_template.node_selector or {}
    return tuple(node for node in offer.nodes if selector.items() <= node.labels.items())
