"""The Poisson reconstruction loss in one piece, with its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class PoissonLoss(torch.autograd.Function):
    """`apply(log_rates, counts, log_factorials, flows)`: the mean of `model.poisson.poisson_nll`.

    `log_rates` and `counts` are `(R, B, N)`; `log_factorials` the sum of what the loss has of the
    counts alone; `flows (T, B, D)` says of the held-in elements whether their loss has a gradient.
    Also returns what the loss has of the rates, summed over trials `(R, N)`.
    """

    @staticmethod
    def forward(
        ctx: Any, log_rates: Tensor, counts: Tensor, log_factorials: Tensor, flows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compute it, and its gradient with it."""
        rates = torch.exp(log_rates)
        sums = torch.addcmul(rates, counts, log_rates, value=-1).sum(dim=1)
        steps, _, channels = flows.shape
        gradient = rates.sub_(counts)
        gradient[:steps, :, :channels].mul_(flows)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(sums)
        ctx.set_materialize_grads(False)
        mean = (sums.double().sum() + log_factorials) / counts.numel()
        return mean.to(log_rates.dtype), sums

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, _of_sums: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradient."""
        (gradient,) = ctx.saved_tensors
        return gradient * (of_mean / gradient.numel()), None, None, None
