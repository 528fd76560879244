"""The loss of one pass, and its parts by the names that the fit log gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.model.noise import Samples
from autolfads_trainer.model.penalties import l2_penalty
from autolfads_trainer.model.with_parameters import below, with_parameters
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.parts import parts_of


@dataclass(frozen=True)
class Loss:
    """The total to be minimised, and its parts (`parts_of`), each of one element or `(M,)`."""

    total: Tensor
    parts: dict[str, Tensor]

    def stacked(self) -> Tensor:
        """Return the parts on a last axis, in their order."""
        return stacked(self.parts)


def stacked(parts: Mapping[str, Tensor]) -> Tensor:
    """Return parts of a loss on a last axis, in their order."""
    return torch.stack([value.to(torch.float32) for value in parts.values()], dim=-1)


class Posteriors(NamedTuple):
    """What the KL divergences need of a pass."""

    ic_mean: Tensor  # (B, I)
    ic_std: Tensor  # (B, I)
    co_means: Tensor  # (R, B, U)
    co_stds: Tensor  # (R, B, U)

    @classmethod
    def of(cls, outputs: Sequence[LFADSOutput]) -> Posteriors:
        """Take them from the outputs of each session."""
        return cls(
            torch.cat([output.ic_mean for output in outputs]),
            torch.cat([output.ic_std for output in outputs]),
            torch.cat([output.co_means for output in outputs]).transpose(0, 1),
            torch.cat([output.co_stds for output in outputs]).transpose(0, 1),
        )


class Reconstructed(NamedTuple):
    """What the reconstruction of one session costs, after augmentation."""

    mean: Tensor  # ()  over its elements
    heldout: Tensor  # ()  sum over those that sample validation holds out
    held: Tensor  # ()  how many those are


def compute_loss(
    model: LFADS,
    parameters: Mapping[str, Tensor],
    recons: Sequence[Reconstructed],
    posteriors: Posteriors,
    standard: Samples,
    hyperparameters: Hyperparameters,
) -> Loss:
    """Return loss_scale · (recon + l2_ramp · L2 + kl_ramp · (weighted KL)).

    `parameters` are the model's by name, or those of members on a leading axis: then all that is
    computed here has it. `recons` are those of each session, of which the mean counts; each is
    counted as the sum over a trial where the configuration says so. `standard` are the numbers of
    the sample by which a KL is estimated that has no closed form.
    """
    hp = hyperparameters
    each, heldout = [], []
    for (mean, sum_held, held), session in zip(recons, model.sizes.sessions, strict=True):
        elements = 1
        if not model.configuration["recon_reduce_mean"]:
            elements = model.sizes.recon_seq_len * session.recon_data_dim
        each.append(mean * elements)
        heldout.append(sum_held / held * elements)  # NaN: none are
    recon = torch.stack(each).mean(dim=0)
    l2 = l2_penalty(parameters, hp.values)
    for number, reconstruction in enumerate(model.reconstructions):
        own = below(f"recon.{number}.", parameters)
        if own and reconstruction.has_penalty:
            l2 = l2 + with_parameters(reconstruction, own, "compute_l2")
    ic_mean, ic_std, co_means, co_stds = posteriors
    ic_prior, co_prior = (below(name, parameters) for name in ("ic_prior.", "co_prior."))
    kl_ic = hp["kl_ic_scale"] * model.ic_prior.divergence(ic_prior, ic_mean, ic_std, standard.ic)
    kl_co = 0.0 * kl_ic
    if model.sizes.has_controller:
        left = model.co_prior.divergence(co_prior, co_means, co_stds, standard.co)
        kl_co = hp["kl_co_scale"] * left
    scale = float(model.configuration["loss_scale"])
    kl = kl_ic + kl_co
    total = scale * (recon + hp.l2_ramp * l2 + hp.kl_ramp * kl)
    found = {f"recon/sess{number}": value for number, value in enumerate(each)}
    found |= {"loss": total, "recon": recon, "recon/sv": torch.stack(heldout).mean(dim=0)}
    found |= {"wt_l2": l2, "wt_l2/ramp": hp.l2_ramp}
    found |= {"wt_kl": kl, "wt_kl/ic": kl_ic, "wt_kl/co": kl_co, "wt_kl/ramp": hp.kl_ramp}
    return Loss(total, {name: found[name].detach() for name in parts_of(model.configuration)})
