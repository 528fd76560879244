"""A training step's loss by the engine: `training.step.training_loss` in less time."""

from __future__ import annotations

import torch

from autolfads_trainer.engine.forward import unrolled
from autolfads_trainer.engine.likelihood import PoissonLoss
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import Loss, Posteriors, compute_loss
from autolfads_trainer.training.scores import Scores


def training_loss(
    model: LFADS, data: Series, draws: StepDraws, hp: Hyperparameters, scores: Scores | None = None
) -> Loss:
    """Return the loss of one batch, deterministic given `draws`."""
    batch = data.take(draws.trials)
    split, rate = model.sizes.ic_enc_seq_len, hp["cd_rate"]
    # What the input lacks the loss may ask for: coordinated dropout.
    kept = (draws.cd_drop >= rate).transpose(0, 1)
    seen, flows = batch.encod, batch.encod.new_zeros(batch.encod.shape)
    seen[split:].mul_(kept).div_(1 - rate)  # the batch is a copy
    passed = (draws.cd_pass < hp["cd_pass_rate"]).transpose(0, 1)
    flows[split:] = (~kept | passed).to(flows.dtype)
    flows = torch.where(rate == 0, 1.0, flows)
    output = unrolled(model, seen, batch.ext_input, draws.noise, hp["dropout_rate"], sample=True)
    recon, sums = PoissonLoss.apply(
        output.log_rates, batch.recon, batch.log_factorials.sum(), flows
    )
    if scores is not None:
        scores.add_sums(sums.double(), batch.recon.sum(dim=1).double(), batch.encod.shape[1])
        if batch.truth is not None:
            scores.add_rates(torch.exp(output.log_rates.detach()), batch.truth)
    posteriors = Posteriors(output.ic_mean, output.ic_std, output.co_means, output.co_stds)
    return compute_loss(model, recon, posteriors, draws.noise.co_sample, hp)
