"""A training step's loss and a validation pass by the engine: `training.step` in less time."""

from __future__ import annotations

from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.engine.dropping import Dropping, mask, spread
from autolfads_trainer.engine.forward import Parameters, Pass, Samples
from autolfads_trainer.engine.reconstruction import reconstruction
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import Loss, Posteriors, compute_loss
from autolfads_trainer.training.scores import Scores


class Engine:
    """A data set as the engine reads it, and what a member asks of it."""

    _made: ClassVar[WeakKeyDictionary[Dataset, Engine]] = WeakKeyDictionary()

    def __init__(self, data: Dataset) -> None:
        self.train, self.valid = Series.of(data.train), Series.of(data.valid)

    @classmethod
    def of(cls, data: Dataset) -> Engine:
        """Return the one for `data`: it is laid out once for all members and generations."""
        if data not in cls._made:
            cls._made[data] = cls(data)
        return cls._made[data]

    def training_loss(
        self, model: LFADS, draws: StepDraws, hp: Hyperparameters, scores: Scores | None = None
    ) -> Loss:
        """Return the loss of one batch, deterministic given `draws`."""
        return training_loss(model, dict(model.named_parameters()), self.train, draws, hp, scores)

    def validation_pass(
        self, model: LFADS, noise: Tensor, hp: Hyperparameters, scores: Scores, *, batch_size: int
    ) -> dict[str, Tensor]:
        """Return the parts of the loss over all validation trials."""
        parameters = dict(model.named_parameters())
        return validation_pass(
            model, parameters, self.valid, noise, hp, scores, batch_size=batch_size
        )


def training_loss(
    model: LFADS,
    parameters: Parameters,
    data: Series,
    draws: StepDraws,
    hp: Hyperparameters,
    scores: Scores | None = None,
) -> Loss:
    """Return the loss of one batch, deterministic given `draws`."""
    batch = data.take(draws.trials)
    flows = _drop_input(batch.encod, draws, hp, model.sizes.ic_enc_seq_len)
    one = Pass(model, parameters, Dropping(draws.noise, hp["dropout_rate"]))
    samples = Samples(draws.noise.ic_sample, draws.noise.co_sample)
    factors, posteriors = _through(one, batch, samples if model.variational else None)
    recon = reconstruction(model, parameters, factors, batch, flows, scores)
    return compute_loss(model, parameters, recon, posteriors, draws.noise.co_sample, hp)


@torch.no_grad()
def validation_pass(
    model: LFADS,
    parameters: Parameters,
    data: Series,
    noise: Tensor,
    hp: Hyperparameters,
    scores: Scores,
    *,
    batch_size: int,
) -> dict[str, Tensor]:
    """Return the parts of the loss over all of `data`: `training.step.validation_pass`."""
    sums: dict[str, Tensor] = {}
    for part, batch in data.chunks(batch_size):
        factors, posteriors = _through(Pass(model, parameters, Dropping(None, None)), batch, None)
        recon = reconstruction(model, parameters, factors, batch, None, scores)
        drawn = noise[..., part, :]
        parts = compute_loss(model, parameters, recon, posteriors, drawn, hp).parts
        share = batch.trials / data.trials
        for name, value in parts.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + share * value
    return sums


def _through(one: Pass, batch: Series, samples: Samples | None) -> tuple[Tensor, Posteriors]:
    """Return the factors `(R, B, F)` of a batch, and its posteriors."""
    encoded = one.encode(batch.encod)
    decoded = one.decode(encoded, batch.ext_input, samples)
    found = (encoded.ic_mean, encoded.ic_std, decoded.co_means, decoded.co_stds)
    return decoded.factors, Posteriors(*found)


def _drop_input(
    encod: Tensor, draws: StepDraws, hp: Hyperparameters, ic_enc_seq_len: int
) -> Tensor:
    """Drop elements of a batch's `encod (T, B, D)`, in place; return where the loss may flow.

    `training.coordinated_dropout` says what this is.
    """
    rate = spread(hp["cd_rate"], encod)
    stays = mask(draws.cd_drop, hp["cd_rate"], encod)
    encod[..., ic_enc_seq_len:, :, :].mul_(stays).div_(1 - rate)
    # What was dropped, and of what was not, what is passed: 1 − stays · (not passed).
    flowing = mask(draws.cd_pass, hp["cd_pass_rate"], encod).mul_(stays).neg_().add_(1.0)
    flowing = torch.maximum(flowing, (rate == 0).to(flowing.dtype))
    if not ic_enc_seq_len:
        return flowing
    flows = encod.new_zeros(encod.shape).add_(rate == 0)
    flows[..., ic_enc_seq_len:, :, :] = flowing
    return flows
