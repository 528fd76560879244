"""One training step and one validation pass: the reference that the engine must equal."""

from __future__ import annotations

import torch
from torch import Tensor

from autolfads_trainer.data.dataset import Dataset, Split
from autolfads_trainer.model.lfads import LFADS, LFADSOutput
from autolfads_trainer.training.coordinated_dropout import block_gradients, drop_input
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import Loss, Posteriors, compute_loss
from autolfads_trainer.training.optimizer import AdamW, clipped
from autolfads_trainer.training.scores import Scores


class Reference:
    """The model as it is written down, differentiated by torch: slow, and the truth."""

    def __init__(self, data: Dataset) -> None:
        self.data = data

    def training_loss(
        self, model: LFADS, draws: StepDraws, hp: Hyperparameters, scores: Scores | None = None
    ) -> Loss:
        """Return the loss of one batch, deterministic given `draws`."""
        return training_loss(model, self.data.train, draws, hp, scores)

    def validation_pass(
        self, model: LFADS, noise: Tensor, hp: Hyperparameters, scores: Scores, *, batch_size: int
    ) -> dict[str, Tensor]:
        """Return the parts of the loss over all validation trials."""
        return validation_pass(model, self.data.valid, noise, hp, scores, batch_size=batch_size)


def training_loss(
    model: LFADS, data: Split, draws: StepDraws, hp: Hyperparameters, scores: Scores | None = None
) -> Loss:
    """Return the loss of one batch, deterministic given `draws`."""
    batch = data.take(draws.trials)
    split = model.sizes.ic_enc_seq_len
    drawn, passing = draws.cd_drop.transpose(0, 1), draws.cd_pass.transpose(0, 1)
    seen, kept = drop_input(batch.encod, drawn, hp["cd_rate"], split)
    output = model(
        seen,
        batch.ext_input,
        noise=draws.noise,
        dropout_rate=hp["dropout_rate"],
        sample=model.variational,
    )
    elementwise = model.reconstruction.compute_loss(batch.recon, output.output_params)
    flowing = block_gradients(elementwise, kept, passing, hp["cd_rate"], hp["cd_pass_rate"])
    if scores is not None:
        _score(scores, model, output, batch)
    posteriors = Posteriors.of(output)
    parameters = dict(model.named_parameters())
    return compute_loss(model, parameters, flowing.mean(), posteriors, draws.noise.co_sample, hp)


def training_step(
    model: LFADS,
    optimizer: AdamW,
    data: Split,
    draws: StepDraws,
    hp: Hyperparameters,
    *,
    clip: float,
    scores: Scores | None = None,
) -> dict[str, Tensor]:
    """Take one step and return the parts of its loss. Nothing here waits for the device."""
    loss = training_loss(model, data, draws, hp, scores)
    descend(loss, optimizer, hp, clip=clip)
    return loss.parts


def descend(loss: Loss, optimizer: AdamW, hp: Hyperparameters, *, clip: float) -> None:
    """Go back through a loss, and move the parameters."""
    gradients = torch.autograd.grad(
        loss.total, list(optimizer.parameters.values()), materialize_grads=True
    )
    optimizer.step(clipped(gradients, clip), hp.lr, hp.l2_ramp * hp["weight_decay"])


@torch.no_grad()
def validation_pass(
    model: LFADS,
    data: Split,
    noise: Tensor,
    hp: Hyperparameters,
    scores: Scores,
    *,
    batch_size: int,
) -> dict[str, Tensor]:
    """Return the parts of the loss over all of `data`: posterior means, nothing dropped.

    `noise (R, trials, U)` serves only to estimate the controller's KL; the score does not depend
    on it. At most `batch_size` trials are taken at a time; the result does not depend on that.
    """
    sums: dict[str, Tensor] = {}
    parameters = dict(model.named_parameters())
    for part, batch in data.chunks(batch_size):
        output = model(batch.encod, batch.ext_input)
        _score(scores, model, output, batch)
        elementwise = model.reconstruction.compute_loss(batch.recon, output.output_params)
        posteriors = Posteriors.of(output)
        recon = elementwise.mean()
        parts = compute_loss(model, parameters, recon, posteriors, noise[:, part], hp).parts
        share = batch.trials / data.trials
        for name, value in parts.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + share * value
    return sums


def _score(scores: Scores, model: LFADS, output: LFADSOutput, batch: Split) -> None:
    if model.reconstruction.counts:
        scores.add_counts(output.output_params[..., 0].detach(), batch.recon)
    scores.add_rates(output.output_means.detach(), batch.truth)
