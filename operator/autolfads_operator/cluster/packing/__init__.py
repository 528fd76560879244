"""Ways of sharing GPUs, one file each: `spec.workers.gpu.sharing` chooses."""

from __future__ import annotations

from autolfads_operator.api import Workers
from autolfads_operator.cluster.packing.base import Finding, Group, Packing
from autolfads_operator.cluster.packing.cpu import CPU
from autolfads_operator.cluster.packing.dra import DRA
from autolfads_operator.cluster.packing.exclusive import EXCLUSIVE
from autolfads_operator.cluster.packing.mig import MIG
from autolfads_operator.cluster.packing.shared_by_plugin import MPS, TIME_SLICING

PACKINGS: dict[str, Packing] = {
    "timeSlicing": TIME_SLICING,
    "mps": MPS,
    "mig": MIG,
    "dra": DRA,
    "exclusive": EXCLUSIVE,
    "none": CPU,
}


def packing_of(workers: Workers) -> Packing:
    """Return the way of sharing that a run asks for."""
    return PACKINGS[workers.gpu.sharing]


__all__ = ["PACKINGS", "Finding", "Group", "Packing", "packing_of"]
