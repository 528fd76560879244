"""Ways of sharing where a device plugin offers GPUs, or parts of them, as an extended resource."""

from __future__ import annotations

from autolfads_operator.api import Workers
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding, Packing, fitting
from autolfads_operator.cluster.packing.offers import NodeOffer, Offer, is_of_gpus


class ExtendedResource(Packing):
    """Each worker asks for one of a resource."""

    def resource(self, workers: Workers) -> str:
        """Return the resource's name."""
        return workers.gpu.resource

    def limits(self, workers: Workers) -> dict[str, str]:
        """Return one of the resource."""
        return {self.resource(workers): "1"}

    def lacking(self, workers: Workers, count: int, offer: Offer) -> Finding | None:
        """Return whether the resource is missing, wrongly shared or too little, in this order."""
        name = self.resource(workers)
        nodes = [node for node in fitting(offer, workers) if node.resources.get(name, 0) > 0]
        if not nodes:
            return Finding(Reason.NO_SUCH_RESOURCE, self._no_such(name, workers, offer))
        right = [node for node in nodes if self.wrong(workers, node) is None]
        if not right:
            return self.wrong(workers, nodes[0])
        there = sum(node.resources[name] for node in right)
        if there < count:
            return Finding(
                Reason.TOO_FEW,
                f"{count} workers ask for one {name} each, and nodes offer {there}; "
                f"{count - there} will wait: set spec.workers.count to {there}, or add nodes",
            )
        return None

    def wrong(self, workers: Workers, node: NodeOffer) -> Finding | None:
        """Return what is wrong with how a node that has the resource shares it."""
        del workers, node
        return None

    def _no_such(self, name: str, workers: Workers, offer: Offer) -> str:
        selector = workers.pod_template.node_selector
        chosen = " that podTemplate.nodeSelector chooses" if selector else ""
        like = sorted(
            {
                resource
                for node in offer.nodes
                for resource, amount in node.resources.items()
                if amount > 0 and is_of_gpus(resource)
            }
        )
        found = f"found {', '.join(like)}" if like else "found no GPU of any name"
        return (
            f"no node{chosen} offers {name}; {found}: {self.helps(workers)}, or "
            "set spec.workers.gpu.sharing: none to train on CPU"
        )

    def helps(self, workers: Workers) -> str:
        """Return what would make nodes offer the resource."""
        del workers
        return "install the GPU's device plugin, or set spec.workers.gpu.resource to a name found"
