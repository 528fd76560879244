"""`dra`: `perGPU` workers name one ResourceClaim, and so sit on the same device, for certain.

A pod template can name a claim only literally, so there is one Job for each claim.
"""

from __future__ import annotations

from autolfads_operator.api import Workers
from autolfads_operator.cluster.names import Reason
from autolfads_operator.cluster.packing.base import Finding, Group, Packing
from autolfads_operator.cluster.packing.offers import Offer


class Dra(Packing):
    """Claims of one device each, of the DeviceClass `spec.workers.gpu.deviceClass`."""

    def limits(self, workers: Workers) -> dict[str, str]:
        """Return nothing: the claim asks."""
        del workers
        return {}

    def memory_share(self, workers: Workers) -> float | None:
        """Return an even share: a plain shared claim is time-sliced."""
        return 1 / workers.per_gpu

    def groups(self, workers: Workers, count: int) -> tuple[Group, ...]:
        """Return one group for each device; the last may not be full."""
        each = workers.per_gpu
        starts = range(0, count, each)
        return tuple(
            Group(f"gpu-{number}", min(each, count - start), claim=True)
            for number, start in enumerate(starts)
        )

    def lacking(self, workers: Workers, count: int, offer: Offer) -> Finding | None:
        """Return a missing class or too few devices."""
        name = workers.gpu.device_class
        if name not in offer.device_classes:
            found = ", ".join(sorted(offer.device_classes)) or "none"
            return Finding(
                Reason.NO_DEVICE_CLASS,
                f"no DeviceClass {name}; found {found}: install the GPU's DRA driver, or set "
                "spec.workers.gpu.deviceClass to one found",
            )
        needed, driver = len(self.groups(workers, count)), offer.device_classes[name]
        there = sum(n for each, n in offer.devices.items() if driver in (None, each))
        if there < needed:
            return Finding(
                Reason.TOO_FEW,
                f"{count} workers need {needed} devices ({workers.per_gpu} to each), and drivers "
                f"offer {there}: set spec.workers.count to {there * workers.per_gpu}, or add nodes"
                if there
                else f"drivers offer no device at all, and {count} workers need {needed}: see "
                "`kubectl get resourceslices`, or add nodes",
            )
        return None


DRA = Dra()
