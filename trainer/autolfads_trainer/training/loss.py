"""The loss of one pass, and its parts by the names that the fit log gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.penalties import l2_penalty
from autolfads_trainer.model.with_parameters import below, with_parameters
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.parts import PARTS


@dataclass(frozen=True)
class Loss:
    """The total to be minimised, and its `PARTS`, each a tensor of one element or `(M,)`."""

    total: Tensor
    parts: dict[str, Tensor]


def stacked(parts: Mapping[str, Tensor]) -> Tensor:
    """Return parts of a loss on a last axis, in the order of `PARTS`."""
    return torch.stack([parts[name] for name in PARTS], dim=-1)


class Posteriors(NamedTuple):
    """What the KL divergences need of a pass."""

    ic_mean: Tensor  # (B, I)
    ic_std: Tensor  # (B, I)
    co_means: Tensor  # (R, B, U)
    co_stds: Tensor  # (R, B, U)

    @classmethod
    def of(cls, output: LFADSOutput) -> Posteriors:
        """Take them from the model's output."""
        means, stds = output.co_means.transpose(0, 1), output.co_stds.transpose(0, 1)
        return cls(output.ic_mean, output.ic_std, means, stds)


def compute_loss(
    model: LFADS,
    parameters: Mapping[str, Tensor],
    recon: Tensor,
    posteriors: Posteriors,
    co_noise: Tensor,
    hyperparameters: Hyperparameters,
) -> Loss:
    """Return loss_scale · (recon + l2_ramp · L2 + kl_ramp · (weighted KL)).

    `parameters` are the model's by name, or those of members on a leading axis: then all that is
    computed here has it. `recon` is the mean of the reconstruction's loss after augmentation, and
    is counted as the sum over a trial where the configuration says so;
    `co_noise (R, B, U)` the standard normal numbers of the sample by which the controller's KL is
    estimated.
    """
    hp = hyperparameters
    if not model.configuration["recon_reduce_mean"]:
        recon = recon * (model.sizes.recon_seq_len * model.sizes.recon_data_dim)
    l2 = l2_penalty(parameters, hp.values)
    own = below("recon.0.", parameters)
    if own:
        l2 = l2 + with_parameters(model.reconstruction, own, "compute_l2")
    ic_mean, ic_std, co_means, co_stds = posteriors
    ic_prior, co_prior = (below(name, parameters) for name in ("ic_prior.", "co_prior."))
    kl_ic = hp["kl_ic_scale"] * model.ic_prior.divergence(ic_prior, ic_mean, ic_std, None)
    kl_co = 0.0 * kl_ic
    if model.sizes.has_controller:
        left = model.co_prior.divergence(co_prior, co_means, co_stds, co_noise)
        kl_co = hp["kl_co_scale"] * left
    scale = float(model.configuration["loss_scale"])
    kl = kl_ic + kl_co
    total = scale * (recon + hp.l2_ramp * l2 + hp.kl_ramp * kl)
    parts = (total, recon, recon, l2, hp.l2_ramp, kl, kl_ic, kl_co, hp.kl_ramp)
    named = zip(PARTS, parts, strict=True)
    return Loss(total, {name: part.detach() for name, part in named})
