"""Which functions go through time: on a GPU one kernel a loop, elsewhere a step at a time."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.decoder import Loop
from autolfads_trainer.engine.encoder import SequenceGRU

FUSED_SINCE = (8, 0)  # compute capability


class Loops(NamedTuple):
    """`encoder.SequenceGRU` and `decoder.Loop`, or what does the same."""

    sequence: Callable[..., Tensor]
    decoder: Callable[..., tuple[Tensor, ...]]


STEPWISE = Loops(SequenceGRU.apply, Loop.apply)


def loops_for(values: Tensor) -> Loops:
    """Return those for tensors like `values`."""
    if values.dtype != torch.float32 or not _has_fused(values.device):
        return STEPWISE
    from autolfads_trainer.engine import fused  # noqa: PLC0415  (not everywhere is there Triton)

    return Loops(fused.sequence, fused.decoder)


@functools.cache
def _has_fused(device: torch.device) -> bool:
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return False
    return torch.cuda.get_device_capability(device) >= FUSED_SINCE
