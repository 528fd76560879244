"""Counts: the read-out gives log-rates per bin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autolfads_trainer.model.poisson import poisson_nll
from autolfads_trainer.model.reconstructions.base import Reconstruction

_SILENT = 1e-8  # a rate that is taken for none


class Poisson(Reconstruction):
    """Negative log-likelihood in nats: `model.poisson.poisson_nll`."""

    counts = True

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return the element-wise cost; counts above 1 have Stirling's log(count!)."""
        return poisson_nll(output_params[..., 0], data)

    def compute_means(self, output_params: Tensor) -> Tensor:
        """Return rates per bin."""
        return torch.exp(output_params[..., 0])


class PoissonBPS(Poisson):
    """Bits per spike that are lost against each channel's mean rate in the batch.

    Below zero is better than that. It differs from `Poisson` by a factor and a summand that depend
    on the batch alone.
    """

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return the element-wise cost; its mean is minus the batch's bits per spike."""
        lost = super().compute_loss(data, output_params) - poisson_nll(null_log_rates(data), data)
        return lost / bits(data)


def null_log_rates(counts: Tensor) -> Tensor:
    """Return the log of each channel's mean over trials and time, of `(…, B, R, N)`."""
    return torch.log(counts.mean(dim=(-3, -2), keepdim=True) + _SILENT)


def bits(counts: Tensor) -> Tensor:
    """Return how many nats a bit per spike is in the mean over elements of `(…, B, R, N)`."""
    mean = counts.mean(dim=(-3, -2, -1), keepdim=True)
    return math.log(2) * mean.clamp_min(_SILENT)
