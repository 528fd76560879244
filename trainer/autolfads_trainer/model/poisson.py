"""Poisson reconstruction: the read-out gives log-rates."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def poisson_nll(log_rates: Tensor, counts: Tensor) -> Tensor:
    """Return the element-wise negative log-likelihood in nats, shaped like `counts`.

    log(count!) is taken by Stirling's formula for counts above 1 (and is 0 up to 1), as the
    existing implementation does, so that losses can be compared.
    """
    return torch.exp(log_rates) - counts * log_rates + log_factorial(counts)


def log_factorial(counts: Tensor) -> Tensor:
    """Return log(count!) by Stirling's formula, and 0 up to 1."""
    stirling = counts * torch.log(counts) - counts + 0.5 * torch.log(2 * math.pi * counts)
    return torch.where(counts > 1, stirling, 0.0)
