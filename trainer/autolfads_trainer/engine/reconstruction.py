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
    kind = type(model.reconstruction)
    if kind is Poisson:
        return _poisson(parameters, factors, batch, flows, scores)
    if kind is PoissonBPS:
        counts = batch.recon
        null = poisson_nll(null_log_rates(counts), counts).mean(dim=_OF_A_BATCH)
        lost = _poisson(parameters, factors, batch, flows, scores) - null
        return lost / bits(counts).squeeze(_OF_A_BATCH)
    return _as_defined(model, parameters, factors, batch, flows, scores)


def _poisson(
    parameters: Parameters,
    factors: Tensor,
    batch: Series,
    flows: Tensor | None,
    scores: Scores | None,
) -> Tensor:
    truth = batch.truth if scores is not None else None
    target = Target(batch.recon, batch.log_factorials.sum(dim=-1), flows, truth)
    recon: Tensor
    recon, sums, errors = PoissonLoss.apply(factors, *_readout(parameters), target)
    if scores is not None:
        scores.add_sums(sums, batch.recon.sum(dim=-2), batch.trials)
        _score_rates(scores, errors, batch)
    return recon


def _as_defined(
    model: LFADS,
    parameters: Parameters,
    factors: Tensor,
    batch: Series,
    flows: Tensor | None,
    scores: Scores | None,
) -> Tensor:
    of, own = model.reconstruction, below("recon.0.", parameters)
    output_params = of.reshape_output_params(affine(factors, *_readout(parameters)))
    elements: Tensor = with_parameters(of, own, "compute_loss", batch.recon, output_params)
    if scores is not None and batch.truth is not None:
        means = with_parameters(of, own, "compute_means", output_params.detach())
        errors = (means.detach() - batch.truth).square_().sum(dim=(-3, -2))
        _score_rates(scores, errors, batch)
    if flows is not None:
        steps, channels = flows.shape[-3], flows.shape[-1]
        blocked = torch.ones_like(elements)
        blocked[..., :steps, :, :channels] = flows
        elements = torch.where(blocked > 0, elements, elements.detach())
    return elements.mean(dim=_OF_A_BATCH)


def _score_rates(scores: Scores, errors: Tensor, batch: Series) -> None:
    if batch.truth_sums is not None:
        bins = batch.trials * batch.recon.shape[-3]
        scores.add_errors(errors, batch.truth_sums.sum(dim=-3), bins)


def _readout(parameters: Parameters) -> tuple[Tensor, Tensor]:
    return parameters["readout.0.weight"], parameters["readout.0.bias"]
