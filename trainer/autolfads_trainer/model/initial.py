"""Start values of weights: normal with variance 1 / scale, from a generator of the caller's."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def normal(rows: int, columns: int, *, scale: int, generator: torch.Generator) -> Tensor:
    """Return a weight `(rows, columns)` drawn from N(0, 1 / `scale`)."""
    return torch.randn(rows, columns, generator=generator) / math.sqrt(max(scale, 1))
