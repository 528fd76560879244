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
        return normal_kl(mean, std, self.mean, self.logvar)


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
        return autoregressive_log_prob(sample, self.logtaus, self.lognvars)

    def kl(self, means: Tensor, stds: Tensor, standard: Tensor) -> Tensor:
        """Return log q − log p of one posterior sample, its mean over trials, in nats.

        `means`, `stds` and the `standard` normal numbers of the sample are `(R, B, U)`.
        """
        return autoregressive_kl(means, stds, standard, self.logtaus, self.lognvars)


# The equations, of members on a leading axis, too: each has a prior of its own.
def normal_kl(mean: Tensor, std: Tensor, prior_mean: Tensor, prior_logvar: Tensor) -> Tensor:
    """Return `MultivariateNormal.kl`, of `(B, shape)` posteriors and a `(shape,)` prior."""
    prior_mean, prior_logvar = prior_mean.unsqueeze(-2), prior_logvar.unsqueeze(-2)
    ratio = (std**2 + (mean - prior_mean) ** 2) / torch.exp(prior_logvar)
    kl = 0.5 * (ratio - 1 + prior_logvar - 2 * torch.log(std))
    return kl.sum(dim=-1).mean(dim=-1)


def autoregressive_log_prob(sample: Tensor, logtaus: Tensor, lognvars: Tensor) -> Tensor:
    """Return `AutoregressiveMultivariateNormal.log_prob`, of `(R, B, U)` and `(U,)`: `(B,)`."""
    logtaus, lognvars = logtaus[..., None, None, :], lognvars[..., None, None, :]
    alpha = torch.exp(-1 / torch.exp(logtaus))
    first_logvar = lognvars - torch.log1p(-(alpha**2))
    first = _log_normal(sample[..., :1, :, :], torch.zeros_like(alpha), first_logvar)
    later = _log_normal(sample[..., 1:, :, :], alpha * sample[..., :-1, :, :], lognvars)
    return torch.cat([first, later], dim=-3).sum(dim=(-3, -1))


def autoregressive_kl(
    means: Tensor, stds: Tensor, standard: Tensor, logtaus: Tensor, lognvars: Tensor
) -> Tensor:
    """Return `AutoregressiveMultivariateNormal.kl`, of `(R, B, U)` posteriors."""
    sample = means + stds * standard
    log_q = _log_normal(sample, means, 2 * torch.log(stds)).sum(dim=(-3, -1))
    return (log_q - autoregressive_log_prob(sample, logtaus, lognvars)).mean(dim=-1)


def _log_normal(value: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    squared = (value - mean) ** 2 / torch.exp(logvar)
    return -0.5 * (squared + logvar + math.log(2 * math.pi))
