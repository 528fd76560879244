"""What the reconstruction of a batch costs: counts in one piece, anything else as it is defined."""

from __future__ import annotations

import torch
from torch import Tensor

from autolfads_trainer.engine.forward import Parameters
from autolfads_trainer.engine.products import affine
from autolfads_trainer.engine.readout import PoissonLoss, Target
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.poisson import poisson_nll
from autolfads_trainer.model.reconstructions import Poisson, PoissonBPS
from autolfads_trainer.model.reconstructions.poisson import bits, null_log_rates
from autolfads_trainer.model.with_parameters import below, with_parameters
from autolfads_trainer.training.scores import Scores

_OF_A_BATCH = (-3, -2, -1)  # time, trials, channels


def reconstruction(
    model: LFADS,
    parameters: Parameters,
    factors: Tensor,
    batch: Series,
    flows: Tensor | None,
    scores: Scores | None,
) -> Tensor:
    """Return the mean of the loss of `factors (R, B, F)`, and add to the scores.

    `flows (T, B, D)` is 1 where a held-in element's loss has a gradient, else 0; None: each has.
    """
    of, truth = model.reconstruction, batch.truth if scores is not None else None
    readout = parameters["readout.0.weight"], parameters["readout.0.bias"]
    mean: Tensor
    if type(of) in (Poisson, PoissonBPS):
        target = Target(batch.recon, batch.log_factorials.sum(dim=-1), flows, truth)
        mean, sums, errors = PoissonLoss.apply(factors, *readout, target)
        if scores is not None:
            scores.add_sums(sums, batch.recon.sum(dim=-2), batch.trials)
        if type(of) is PoissonBPS:
            null = poisson_nll(null_log_rates(batch.recon), batch.recon).mean(dim=_OF_A_BATCH)
            mean = (mean - null) / bits(batch.recon).squeeze(_OF_A_BATCH)
    else:
        own, outputs = below("recon.0.", parameters), affine(factors, *readout)
        output_params = of.reshape_output_params(outputs)
        elements = with_parameters(of, own, "compute_loss", batch.recon, output_params)
        mean = _blocked(elements, flows).mean(dim=_OF_A_BATCH)
        if truth is not None:
            means = with_parameters(of, own, "compute_means", output_params.detach()).detach()
            errors = (means - truth).square_().sum(dim=(-3, -2))
    if scores is not None and batch.truth_sums is not None:
        bins = batch.trials * batch.recon.shape[-3]
        scores.add_errors(errors, batch.truth_sums.sum(dim=-3), bins)
    return mean


def _blocked(elements: Tensor, flows: Tensor | None) -> Tensor:
    """Let gradients flow only from elements whose `flows` is 1, and those that are not held in."""
    if flows is None:
        return elements
    steps, channels = flows.shape[-3], flows.shape[-1]
    flowing = torch.ones_like(elements)
    flowing[..., :steps, :, :channels] = flows
    return torch.where(flowing > 0, elements, elements.detach())
