"""Data of either sign: the read-out gives means, and may give variances."""

from __future__ import annotations

import torch
from torch import Tensor

from autolfads_trainer.model.reconstructions.base import Reconstruction

LEAST_VARIANCE = 1e-6


class MSE(Reconstruction):
    """Squared errors of means."""

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return the element-wise squared error."""
        return (data - output_params[..., 0]) ** 2

    def compute_means(self, output_params: Tensor) -> Tensor:
        """Return the means."""
        return output_params[..., 0]


class Gaussian(MSE):
    """½ (log variance + squared error / variance): nats, but for a constant."""

    n_params = 2  # mean, log variance

    def compute_loss(self, data: Tensor, output_params: Tensor) -> Tensor:
        """Return the element-wise cost; a variance counts as at least `LEAST_VARIANCE`.

        Gradients are those at the variance that counts, as of `torch.nn.GaussianNLLLoss`, which
        looks at values, so that a step would wait for the device.
        """
        means, logvars = output_params.unbind(dim=-1)
        variances = torch.exp(logvars)
        missing = (LEAST_VARIANCE - variances).clamp(min=0).detach()
        variances = variances + missing
        return 0.5 * (torch.log(variances) + (data - means) ** 2 / variances)
