"""Priors of the initial condition and of the controller's output, and what leaving them costs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MultivariateNormal(nn.Module):
    """Independent normal prior: the mean trains, the variance stays.

    Parameters `mean` and `logvar`, both `(shape,)`.
    """

    def __init__(self, mean: float, variance: float, shape: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full((shape,), float(mean)))
        self.logvar = nn.Parameter(torch.full((shape,), math.log(variance)), requires_grad=False)

    def kl(self, mean: Tensor, std: Tensor) -> Tensor:
        """Return KL(posterior ‖ prior) in nats, summed over dimensions, its mean over trials.

        `mean` and `std` of the posterior are `(B, shape)`.
        """
        ratio = (std**2 + (mean - self.mean) ** 2) / torch.exp(self.logvar)
        kl = 0.5 * (ratio - 1 + self.logvar - 2 * torch.log(std))
        return kl.sum(dim=1).mean()


class AutoregressiveMultivariateNormal(nn.Module):
    """Each dimension an AR(1) process: time constant τ (bins) and noise variance both train.

    Parameters `logtaus` and `lognvars`, both `(shape,)`. With α = exp(−1/τ) the first step is
    N(0, nvar / (1 − α²)), a later one N(α u_{t−1}, nvar).
    """

    def __init__(self, tau: float, nvar: float, shape: int) -> None:
        super().__init__()
        self.logtaus = nn.Parameter(torch.full((shape,), math.log(tau)))
        self.lognvars = nn.Parameter(torch.full((shape,), math.log(nvar)))

    def log_prob(self, sample: Tensor) -> Tensor:
        """Return log p `(B,)` of `sample (R, B, U)`, summed over time and dimensions."""
        alpha = torch.exp(-1 / torch.exp(self.logtaus))
        first_logvar = self.lognvars - torch.log1p(-(alpha**2))
        first = _log_normal(sample[:1], torch.zeros_like(alpha), first_logvar)
        later = _log_normal(sample[1:], alpha * sample[:-1], self.lognvars)
        return torch.cat([first, later]).sum(dim=(0, 2))

    def kl(self, means: Tensor, stds: Tensor, standard: Tensor) -> Tensor:
        """Return log q − log p of one posterior sample, its mean over trials, in nats.

        `means`, `stds` and the `standard` normal numbers of the sample are `(R, B, U)`.
        """
        sample = means + stds * standard
        log_q = _log_normal(sample, means, 2 * torch.log(stds)).sum(dim=(0, 2))
        return (log_q - self.log_prob(sample)).mean()


def _log_normal(value: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    squared = (value - mean) ** 2 / torch.exp(logvar)
    return -0.5 * (squared + logvar + math.log(2 * math.pi))
