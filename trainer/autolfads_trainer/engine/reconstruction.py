"""What the reconstruction of a batch costs: counts in one piece, anything else as it is defined."""

from __future__ import annotations

import torch
from torch import Tensor

from autolfads_trainer.engine.forward import Parameters
from autolfads_trainer.engine.products import affine
from autolfads_trainer.engine.readout import PoissonLoss, Target
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.poisson import log_factorial, poisson_nll
from autolfads_trainer.model.reconstructions import Poisson, PoissonBPS
from autolfads_trainer.model.reconstructions.poisson import bits, null_log_rates
from autolfads_trainer.model.with_parameters import below, with_parameters
from autolfads_trainer.training.augmentations.base import (
    OF_A_BATCH,
    Effect,
    heldout_sum,
    mean_of,
)
from autolfads_trainer.training.loss import Reconstructed
from autolfads_trainer.training.scores import Scores


def reconstruction(
    model: LFADS,
    session: int,
    parameters: Parameters,
    factors: Tensor,
    batch: Series,
    effect: Effect,
    scores: Scores | None,
) -> Reconstructed:
    """Return what a session's `factors (R, B, F)` cost, and add to the scores."""
    in_one_piece = type(model.reconstructions[session]) in (Poisson, PoissonBPS)
    in_one_piece &= f"readout.{session}.weight" in parameters
    if in_one_piece and effect.only_flows:
        return _in_one_piece(model, session, parameters, factors, batch, effect.flows, scores)
    return _as_defined(model, session, parameters, factors, batch, effect, scores)


def _readout(parameters: Parameters, session: int) -> tuple[Tensor, Tensor]:
    return parameters[f"readout.{session}.weight"], parameters[f"readout.{session}.bias"]


def _in_one_piece(
    model: LFADS,
    session: int,
    parameters: Parameters,
    factors: Tensor,
    batch: Series,
    flows: Tensor | None,
    scores: Scores | None,
) -> Reconstructed:
    truth = batch.truth if scores is not None else None
    known = batch.log_factorials
    if known is None:
        known = log_factorial(batch.recon).sum(dim=(-3, -1), dtype=torch.float64)
    target = Target(batch.recon, known.sum(dim=-1), flows, truth)
    mean, sums, errors = PoissonLoss.apply(factors, *_readout(parameters, session), target)
    if scores is not None:
        scores.add_sums(sums, batch.recon.sum(dim=-2), float(batch.trials), session)
        _add_errors(scores, session, batch, errors)
    if type(model.reconstructions[session]) is PoissonBPS:
        null = poisson_nll(null_log_rates(batch.recon), batch.recon).mean(dim=OF_A_BATCH)
        mean = (mean - null) / bits(batch.recon).squeeze(OF_A_BATCH)
    none = torch.zeros_like(mean)
    return Reconstructed(mean, none, none)


def _as_defined(
    model: LFADS,
    session: int,
    parameters: Parameters,
    factors: Tensor,
    batch: Series,
    effect: Effect,
    scores: Scores | None,
) -> Reconstructed:
    of, own = model.reconstructions[session], below(f"recon.{session}.", parameters)
    if f"readout.{session}.weight" in parameters:
        factors = affine(factors, *_readout(parameters, session))
    output_params = of.reshape_output_params(factors)
    elements = with_parameters(of, own, "compute_loss", batch.recon, output_params)
    if scores is not None:
        given = output_params.detach()
        if of.counts:
            _add_counts(scores, session, batch, given[..., 0])
        if batch.truth is not None:
            means = with_parameters(of, own, "compute_means", given).detach()
            _add_errors(scores, session, batch, (means - batch.truth).square_().sum(dim=(-3, -2)))
    return Reconstructed(mean_of(elements, effect), *heldout_sum(elements, effect))


def _add_counts(scores: Scores, session: int, batch: Series, log_rates: Tensor) -> None:
    nll, spikes = torch.exp(log_rates) - batch.recon * log_rates, batch.recon
    bins: Tensor | float = float(batch.trials)
    if batch.observed is not None:
        nll, spikes = nll * batch.observed, spikes * batch.observed
        bins = batch.observed.sum(dim=-2)
    scores.add_sums(nll.sum(dim=-2), spikes.sum(dim=-2), bins, session)


def _add_errors(scores: Scores, session: int, batch: Series, errors: Tensor) -> None:
    if batch.truth_sums is not None:
        bins = batch.trials * batch.recon.shape[-3]
        scores.add_errors(errors, batch.truth_sums.sum(dim=-3), bins, session)
