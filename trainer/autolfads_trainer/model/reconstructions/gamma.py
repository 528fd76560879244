"""Data above zero, and data of which some are exactly zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autolfads_trainer.model.reconstructions.base import Reconstruction

LEAST = 1e-5  # of what a sigmoid gives: no rate is zero
MOST = 1 - 1e-7  # of a probability: the other one is not zero


class Gamma(Reconstruction):
    """Negative log-likelihood in nats of data above zero; α is the shape, β the rate."""

    n_params = 2  # log α, log β

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return the element-wise cost."""
        return gamma_nll(data, *torch.exp(output_params).unbind(dim=-1))

    def compute_means(self, output_params: Tensor) -> Tensor:
        """Return α / β."""
        return torch.exp(output_params[..., 0] - output_params[..., 1])


class ZeroInflatedGamma(Reconstruction):
    """Zero with probability 1 − q, else `gamma_loc` and something Gamma-distributed above it.

    α, β and q are sigmoids of what the read-out gives, α and β times a trained `scale (2, N)` that
    is drawn towards `scale_prior`. Wei et al. 2020 (PLoS Comput Biol) for calcium imaging.
    """

    n_params = 3  # of α, β, q

    def __init__(
        self,
        recon_dim: int,
        gamma_loc: float,
        scale_init: float,
        scale_prior: float,
        scale_penalty: float,
    ) -> None:
        super().__init__()
        self.gamma_loc = gamma_loc
        self.scale_prior, self.scale_penalty = scale_prior, scale_penalty
        self.scale = nn.Parameter(torch.full((2, recon_dim), float(scale_init)))

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return the element-wise cost in nats."""
        alphas, betas, probabilities = self._scaled(output_params)
        zero = data == 0
        # Where it is zero any number above does: that element is not used.
        above = torch.where(zero, torch.ones_like(data), data - self.gamma_loc)
        something = gamma_nll(above, alphas, betas) - torch.log(probabilities)
        return torch.where(zero, -torch.log1p(-probabilities), something)

    def compute_means(self, output_params: Tensor) -> Tensor:
        """Return q · (α / β + gamma_loc)."""
        alphas, betas, probabilities = self._scaled(output_params)
        return probabilities * (alphas / betas + self.gamma_loc)

    def compute_l2(self) -> Tensor:
        """Return ½ · `scale_penalty` · Σ (scale − `scale_prior`)²."""
        left = ((self.scale - self.scale_prior) ** 2).sum(dim=(-2, -1))
        return 0.5 * self.scale_penalty * left

    def _scaled(self, output_params: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        alphas, betas, probabilities = torch.sigmoid(output_params).clamp_min(LEAST).unbind(dim=-1)
        # Of members, too, each of which has a scale of its own: an axis in front.
        of_alphas, of_betas = self.scale[..., None, None, :].unbind(dim=-4)
        return alphas * of_alphas, betas * of_betas, probabilities.clamp_max(MOST)


def gamma_nll(data: Tensor, alphas: Tensor, betas: Tensor) -> Tensor:
    """Return −log p of `data` above zero, shape α and rate β, element by element."""
    log_p = torch.xlogy(alphas, betas) + torch.xlogy(alphas - 1, data) - betas * data
    return torch.lgamma(alphas) - log_p
