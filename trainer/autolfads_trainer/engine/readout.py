"""From factors to the Poisson reconstruction loss in one piece, with its gradients.

Log-rates and their gradient are as large as the data. They are made for a few time steps at a time,
so that on a CPU they never leave its cache, and are gone when those steps are done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.products import add_product, affine, over_all_steps, product

_IN_CACHE = 1 << 16  # numbers of one array that a core's own cache holds beside a few others


class Target(NamedTuple):
    """What the rates are held against. Each tensor may have a leading axis of members."""

    counts: Tensor  # (R, B, N)
    log_factorials: Tensor  # ()  what the loss has of the counts alone, summed
    flows: Tensor | None  # (T, B, D)  1 where a held-in element's loss has a gradient, else 0
    truth: Tensor | None  # (R, B, N)  rates per bin


class PoissonLoss(torch.autograd.Function):
    """`apply(factors, weight, bias, target)`: the mean of `model.poisson.poisson_nll`, `()`.

    Takes `factors (R, B, F)` through the readout `weight (N, F)`, `bias (N,)`. Also returns, summed
    over trials, what the loss has of the rates `(R, N)`, and the squared errors of the rates
    `(N,)`, summed over time, too; empty without a truth.
    """

    @staticmethod
    def forward(
        ctx: Any, factors: Tensor, weight: Tensor, bias: Tensor, target: Target
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute it, and its gradients with it."""
        counts, truth = target.counts, target.truth
        lead, (steps, trials, channels) = counts.shape[:-3], counts.shape[-3:]
        sums = counts.new_empty(*lead, steps, channels)
        errors = counts.new_zeros(*lead, channels if truth is not None else 0)
        wanted = any(ctx.needs_input_grad)
        of_factors, of_weight, of_bias = (
            [torch.empty_like(factors), torch.zeros_like(weight), torch.zeros_like(bias)]
            if wanted
            else [factors.new_empty(0)] * 3
        )
        for part in _parts(steps, trials * channels, factors.device):
            some, spikes = factors[..., part, :, :], counts[..., part, :, :]
            log_rates = affine(some, weight, bias)
            rates = torch.exp(log_rates)
            elements = log_rates.mul_(spikes)
            torch.sub(rates, elements, out=elements)
            torch.sum(elements, dim=-2, out=sums[..., part, :])
            if truth is not None:
                errors += (
                    torch.sub(rates, truth[..., part, :, :], out=elements)
                    .square_()
                    .sum(dim=(-3, -2))
                )
            if wanted:
                gradient = rates.sub_(spikes)
                _block(gradient, target.flows, part)
                rows = over_all_steps(gradient)
                product(rows, weight, out=over_all_steps(of_factors[..., part, :, :]))
                add_product(of_weight, rows.mT, over_all_steps(some))
                of_bias += rows.sum(-2)
        ctx.save_for_backward(of_factors, of_weight, of_bias)
        ctx.elements = steps * trials * channels
        ctx.mark_non_differentiable(sums, errors)
        ctx.set_materialize_grads(False)
        mean = (sums.double().sum(dim=(-2, -1)) + target.log_factorials) / ctx.elements
        return mean.to(factors.dtype), sums, errors

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients."""
        scale, found = of_mean / ctx.elements, ctx.saved_tensors
        return *(each * scale[..., *[None] * (each.dim() - scale.dim())] for each in found), None


def _block(gradient: Tensor, flows: Tensor | None, part: slice) -> None:
    if flows is None:
        return
    channels, seen = flows.shape[-1], flows[..., part, :, :]
    gradient[..., : seen.shape[-3], :, :channels].mul_(seen)


def _parts(steps: int, elements: int, device: torch.device) -> Iterator[slice]:
    """Take the steps, of so many elements each, by parts: a GPU rather has all at once."""
    at_once = max(1, _IN_CACHE // elements) if device.type == "cpu" else steps
    for first in range(0, steps, at_once):
        yield slice(first, min(first + at_once, steps))
