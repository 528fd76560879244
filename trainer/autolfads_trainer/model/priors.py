"""Priors of the initial condition and of the controller's output, and what leaving them costs.

Names and parameters are the existing pipeline's. Posteriors are `(B, I)` of the initial condition,
and `(R, B, U)` of the control, whose `standard` numbers made the sample that was used; all tensors
may have a leading axis of members, each with a prior of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autolfads_trainer.config.classes import is_own
from autolfads_trainer.own_classes import made


class Prior(nn.Module):
    """A prior of posteriors that are each a mean and a standard deviation per dimension."""

    def sample(self, mean: Tensor, std: Tensor, standard: Tensor) -> Tensor:
        """Return the sample of the posteriors that `standard` numbers make."""
        return mean + std * standard

    def kl(self, mean: Tensor, std: Tensor, standard: Tensor | None = None) -> Tensor:
        """Return what the posteriors cost `()`, by the prior's own parameters: see `divergence`."""
        return self.divergence(dict(self.named_parameters()), mean, std, standard)

    def divergence(
        self, parameters: Mapping[str, Tensor], mean: Tensor, std: Tensor, standard: Tensor | None
    ) -> Tensor:
        """Return KL(posterior ‖ prior) in nats, its mean over trials, given the prior's parameters.

        `mean + std · standard` is the sample by which it is estimated where it has no closed form.
        """
        raise NotImplementedError


def _needed(standard: Tensor | None) -> Tensor:
    if standard is None:
        raise ValueError(
            "this prior's cost is estimated by a sample: expected its standard numbers"
        )
    return standard


class Null(Prior):
    """No prior: nothing costs anything."""

    def divergence(
        self, parameters: Mapping[str, Tensor], mean: Tensor, std: Tensor, standard: Tensor | None
    ) -> Tensor:
        """Return 0."""
        del parameters, std, standard
        return mean.new_zeros(())


class MultivariateNormal(Prior):
    """Independent normal prior: the mean trains, the variance stays.

    Parameters `mean` and `logvar`, both `(shape,)`. The cost is summed over dimensions, and its
    mean over trials and, of a control, over time.
    """

    def __init__(self, mean: float, variance: float, shape: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full((shape,), float(mean)))
        self.logvar = nn.Parameter(torch.full((shape,), math.log(variance)), requires_grad=False)

    def divergence(
        self, parameters: Mapping[str, Tensor], mean: Tensor, std: Tensor, standard: Tensor | None
    ) -> Tensor:
        """Return it in closed form."""
        del standard
        middle, logvar = (_over(parameters[name], mean) for name in ("mean", "logvar"))
        ratio = (std**2 + (mean - middle) ** 2) / torch.exp(logvar)
        kl = 0.5 * (ratio - 1 + logvar - 2 * torch.log(std))
        trials_and_time = tuple(range(parameters["mean"].dim() - 1, mean.dim() - 1))
        return kl.sum(dim=-1).mean(dim=trials_and_time)


class AutoregressiveMultivariateNormal(Prior):
    """Each dimension an AR(1) process: time constant τ (bins) and noise variance both train.

    Parameters `logtaus` and `lognvars`, both `(shape,)`. With α = exp(−1/τ) the first step is
    N(0, nvar / (1 − α²)), a later one N(α u_{t−1}, nvar). The cost is estimated by the sample, and
    summed over time and dimensions.
    """

    def __init__(self, tau: float, nvar: float, shape: int) -> None:
        super().__init__()
        self.logtaus = nn.Parameter(torch.full((shape,), math.log(tau)))
        self.lognvars = nn.Parameter(torch.full((shape,), math.log(nvar)))

    def log_prob(self, sample: Tensor) -> Tensor:
        """Return log p `(B,)` of `sample (R, B, U)`, summed over time and dimensions."""
        return _autoregressive_log_prob(dict(self.named_parameters()), sample)

    def divergence(
        self, parameters: Mapping[str, Tensor], mean: Tensor, std: Tensor, standard: Tensor | None
    ) -> Tensor:
        """Return log q − log p of the sample."""
        sample = mean + std * _needed(standard)
        log_q = _log_normal(sample, mean, 2 * torch.log(std)).sum(dim=(-3, -1))
        return (log_q - _autoregressive_log_prob(parameters, sample)).mean(dim=-1)


class MultivariateStudentT(Prior):
    """Independent Student's t prior of `df` degrees of freedom: location and scale both train.

    Parameters `loc` and `logscale`, both `(shape,)`. Posteriors are t-distributed, too, with the
    same `df`, and so are their `standard` numbers. The cost is estimated by the sample, and summed
    over dimensions and, of a control, over time.
    """

    def __init__(self, loc: float, scale: float, df: float, shape: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.full((shape,), float(loc)))
        self.logscale = nn.Parameter(torch.full((shape,), math.log(scale)))
        self.df = df

    def log_prob(self, sample: Tensor) -> Tensor:
        """Return log p `(B,)` of `sample (B, I)` or `(R, B, U)`, summed over all but trials."""
        left = (sample - self.loc) / torch.exp(self.logscale)
        half = 0.5 * (self.df + 1)
        log_p = -half * torch.log1p(left**2 / self.df) - self.logscale
        log_p = log_p + math.lgamma(half) - math.lgamma(self.df / 2)
        log_p = log_p - 0.5 * math.log(self.df * math.pi)
        return log_p.sum(dim=-1 if sample.dim() == 2 else (-3, -1))

    def divergence(
        self, parameters: Mapping[str, Tensor], mean: Tensor, std: Tensor, standard: Tensor | None
    ) -> Tensor:
        """Return log q − log p of the sample."""
        loc, logscale = (_over(parameters[name], mean) for name in ("loc", "logscale"))
        standard = _needed(standard)
        left = (mean + std * standard - loc) / torch.exp(logscale)
        # What depends on `df` alone is the same for both.
        log_q = -0.5 * (self.df + 1) * torch.log1p(standard**2 / self.df) - torch.log(std)
        log_p = -0.5 * (self.df + 1) * torch.log1p(left**2 / self.df) - logscale
        trials_alone = mean.dim() - parameters["loc"].dim() == 1
        return (log_q - log_p).sum(dim=-1 if trials_alone else (-3, -1)).mean(dim=-1)


_KINDS = {
    kind.__name__: kind
    for kind in (Null, MultivariateNormal, AutoregressiveMultivariateNormal, MultivariateStudentT)
}


def prior_of(configuration: Mapping[str, Any], shape: int) -> Prior:
    """Return the one that `ic_prior` or `co_prior` of a resolved configuration names.

    `shape`: dimensions that there are; without a controller its output has none.
    """
    if is_own(configuration["_target_"]):
        own: Prior = made(
            configuration, Prior, of_own={"divergence": _divergence, "sample": _sample}
        )
        return own
    kind = _KINDS[configuration["_target_"].rpartition(".")[2]]
    if kind is Null:
        return Null()
    arguments = {name: value for name, value in configuration.items() if name != "_target_"}
    return kind(**arguments | {"shape": shape})


# Of a user's own prior, which has the existing pipeline's methods: trials come first there.
def _divergence(
    self: Any, parameters: Mapping[str, Tensor], mean: Tensor, std: Tensor, standard: Tensor | None
) -> Tensor:
    del parameters, standard
    if mean.dim() > 2:
        mean, std = mean.transpose(0, 1), std.transpose(0, 1)
    cost: Tensor = self(mean, std)
    return cost


def _sample(self: Any, mean: Tensor, std: Tensor, standard: Tensor) -> Tensor:
    del standard
    drawn: Tensor = self.make_posterior(mean, std).rsample()
    return drawn


def _over(parameter: Tensor, values: Tensor) -> Tensor:
    """Give a prior's `(shape,)` the axes of `values`: those of members stay in front."""
    return parameter[(..., *[None] * (values.dim() - parameter.dim()), slice(None))]


def _autoregressive_log_prob(parameters: Mapping[str, Tensor], sample: Tensor) -> Tensor:
    logtaus, lognvars = (_over(parameters[name], sample) for name in ("logtaus", "lognvars"))
    alpha = torch.exp(-1 / torch.exp(logtaus))
    first_logvar = lognvars - torch.log1p(-(alpha**2))
    first = _log_normal(sample[..., :1, :, :], torch.zeros_like(alpha), first_logvar)
    later = _log_normal(sample[..., 1:, :, :], alpha * sample[..., :-1, :, :], lognvars)
    return torch.cat([first, later], dim=-3).sum(dim=(-3, -1))


def _log_normal(value: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    squared = (value - mean) ** 2 / torch.exp(logvar)
    return -0.5 * (squared + logvar + math.log(2 * math.pi))
