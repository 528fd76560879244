"""`mig`: a slice of a GPU of its own for each worker, kept apart by the hardware."""

from __future__ import annotations

import re

from autolfads_operator.api import Workers
from autolfads_operator.cluster.packing.extended import ExtendedResource


class Mig(ExtendedResource):
    """The resource is named after the slice's profile."""

    def resource(self, workers: Workers) -> str:
        """Return the name that NVIDIA's device plugin gives to slices (`migStrategy: mixed`)."""
        return f"nvidia.com/mig-{workers.gpu.profile}"

    def gpu_share(self, workers: Workers) -> float:
        """Return the slice's part of a GPU's seven compute slices: `3g.40gb` has three."""
        found = re.search(r"(\d)g\.", workers.gpu.profile)
        return int(found.group(1)) / 7 if found else 1.0

    def helps(self, workers: Workers) -> str:
        """Return what would make nodes offer such slices."""
        return (
            f"cut GPUs into {workers.gpu.profile} (migStrategy: mixed), or set "
            "spec.workers.gpu.profile to one found"
        )


MIG = Mig()
