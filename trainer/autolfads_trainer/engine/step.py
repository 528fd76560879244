"""A training step's loss and a validation pass by the engine: `training.step` in less time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.engine.dropping import Dropping
from autolfads_trainer.engine.forward import Parameters, Pass
from autolfads_trainer.engine.reconstruction import reconstruction
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.noise import Samples
from autolfads_trainer.training.augmentations.base import Effect
from autolfads_trainer.training.augmentations.stack import AugmentationStack
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import Loss, Posteriors, compute_loss
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.validation import Validation


class Engine:
    """A data set as the engine reads it, and what a member asks of it."""

    _made: ClassVar[WeakKeyDictionary[Dataset, Engine]] = WeakKeyDictionary()

    def __init__(self, data: Dataset) -> None:
        self.train = tuple(Series.of(session.train) for session in data.sessions)
        self.valid = tuple(Series.of(session.valid) for session in data.sessions)

    @classmethod
    def of(cls, data: Dataset) -> Engine:
        """Return the one for `data`: it is laid out once for all members and generations."""
        if data not in cls._made:
            cls._made[data] = cls(data)
        return cls._made[data]

    def training_loss(
        self,
        model: LFADS,
        stack: AugmentationStack,
        draws: StepDraws,
        hp: Hyperparameters,
        scores: Scores | None = None,
    ) -> Loss:
        """Return the loss of one batch, deterministic given `draws`."""
        parameters = dict(model.named_parameters())
        return training_loss(model, parameters, self.train, stack, draws, hp, scores)

    def validation_pass(
        self,
        model: LFADS,
        stack: AugmentationStack,
        noise: Samples,
        hp: Hyperparameters,
        scores: Scores,
        *,
        batch_size: int,
    ) -> dict[str, Tensor]:
        """Return the parts of the loss over all validation trials."""
        parameters = dict(model.named_parameters())
        return validation_pass(
            model, parameters, self.valid, stack, noise, hp, scores, batch_size=batch_size
        )


def training_loss(
    model: LFADS,
    parameters: Parameters,
    data: Sequence[Series],
    stack: AugmentationStack,
    draws: StepDraws,
    hp: Hyperparameters,
    scores: Scores | None = None,
) -> Loss:
    """Return the loss of one batch, deterministic given `draws`."""
    one = Pass(model, parameters, Dropping(draws.noise, hp["dropout_rate"]))
    augmented: list[tuple[Series, Effect]] = []
    for session, series in enumerate(data):
        batch = series.take(draws.trials[session])
        drawn, sizes = draws.augmented[session], model.sizes
        augmented.append(stack(sizes, sizes.sessions[session], batch, drawn, hp))
    batches = [batch for batch, _ in augmented]
    samples = draws.noise.samples if model.variational else None
    factors, posteriors = _through(one, list(enumerate(batches)), samples)
    recons = [
        reconstruction(model, session, parameters, some, batch, effect, scores)
        for session, (some, (batch, effect)) in enumerate(zip(factors, augmented, strict=True))
    ]
    return compute_loss(model, parameters, recons, posteriors, draws.noise.samples, hp)


@torch.no_grad()
def validation_pass(
    model: LFADS,
    parameters: Parameters,
    data: Sequence[Series],
    stack: AugmentationStack,
    noise: Samples,
    hp: Hyperparameters,
    scores: Scores,
    *,
    batch_size: int,
) -> dict[str, Tensor]:
    """Return the parts of the loss over all of `data`: `training.step.validation_pass`."""
    whole = Validation(model, parameters, data, noise, hp)
    for session, series in enumerate(data):
        for _, some in series.chunks(batch_size):
            batch, effect = stack(model.sizes, model.sizes.sessions[session], some, (), hp)
            one = Pass(model, parameters, Dropping(None, None))
            (factors,), posteriors = _through(one, [(session, batch)], None)
            recon = reconstruction(model, session, parameters, factors, batch, effect, scores)
            whole.add(session, batch, recon, posteriors)
    return whole.parts()


def _through(
    one: Pass, batches: Sequence[tuple[int, Series]], samples: Samples | None
) -> tuple[list[Tensor], Posteriors]:
    """Return the factors `(R, b, F)` of each session's batch, and the posteriors of all."""
    read = [one.read_in(session, batch.encod) for session, batch in batches]
    encoded = one.encode(read[0] if len(read) == 1 else torch.cat(read, dim=-2))
    external = [batch.ext_input for _, batch in batches]
    decoded = one.decode(
        encoded, external[0] if len(external) == 1 else torch.cat(external, dim=-2), samples
    )
    found = (encoded.ic_mean, encoded.ic_std, decoded.co_means, decoded.co_stds)
    factors = torch.split(decoded.factors, [batch.trials for _, batch in batches], dim=-2)
    return list(factors), Posteriors(*found)
