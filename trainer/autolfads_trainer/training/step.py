"""One training step and one validation pass: the reference that the engine must equal."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from autolfads_trainer.config.classes import has_own_classes
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.lfads import LFADS, LFADSOutput, SessionInput
from autolfads_trainer.model.noise import Samples
from autolfads_trainer.training.augmentations.base import Effect, heldout_sum, mean_of
from autolfads_trainer.training.augmentations.own import seed_from
from autolfads_trainer.training.augmentations.stack import AugmentationStack
from autolfads_trainer.training.draws import StepDraws
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import Loss, Posteriors, Reconstructed, compute_loss
from autolfads_trainer.training.optimizer import AdamW, clipped
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.validation import Validation

_PROCESS_WIDE = threading.Lock()  # torch's own generator


class Reference:
    """The model as it is written down, differentiated by torch: slow, and the truth."""

    def __init__(self, data: Dataset) -> None:
        self.train = tuple(Series.of(session.train) for session in data.sessions)
        self.valid = tuple(Series.of(session.valid) for session in data.sessions)

    def training_loss(
        self,
        model: LFADS,
        stack: AugmentationStack,
        draws: StepDraws,
        hp: Hyperparameters,
        scores: Scores | None = None,
    ) -> Loss:
        """Return the loss of one batch, deterministic given `draws`."""
        with own_randomness(model, draws.noise.generator_start):
            return training_loss(model, self.train, stack, draws, hp, scores)

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
        with own_randomness(model, noise.ic[:0]):
            return validation_pass(
                model, self.valid, stack, noise, hp, scores, batch_size=batch_size
            )


@contextmanager
def own_randomness(model: LFADS, drawn: Tensor) -> Iterator[None]:
    """Have users' own classes draw from a generator that follows from numbers `drawn` for a step.

    Nothing is done for a model without them. Theirs is torch's own, of the process: it is left as
    it was, and one lane has it at a time.
    """
    if not has_own_classes(model.configuration):
        yield
        return
    devices = [drawn.device] if drawn.device.type == "cuda" else []
    with _PROCESS_WIDE, torch.random.fork_rng(devices):
        torch.manual_seed(seed_from(drawn))
        yield


def training_loss(
    model: LFADS,
    data: Sequence[Series],
    stack: AugmentationStack,
    draws: StepDraws,
    hp: Hyperparameters,
    scores: Scores | None = None,
) -> Loss:
    """Return the loss of one batch, deterministic given `draws`."""
    augmented: list[tuple[Series, Effect]] = []
    for session, series in enumerate(data):
        batch = series.take(draws.trials[session])
        drawn, sizes = draws.augmented[session], model.sizes
        augmented.append(stack(sizes, sizes.sessions[session], batch, drawn, hp))
    outputs = model.infer_sessions(
        [_given(session, batch) for session, (batch, _) in enumerate(augmented)],
        noise=draws.noise,
        dropout_rate=hp["dropout_rate"],
        sample=model.variational,
    )
    recons = [
        _reconstructed(model, session, output, batch, effect, scores)
        for session, (output, (batch, effect)) in enumerate(zip(outputs, augmented, strict=True))
    ]
    parameters = dict(model.named_parameters())
    posteriors = Posteriors.of(outputs)
    return compute_loss(model, parameters, recons, posteriors, draws.noise.samples, hp)


def training_step(
    model: LFADS,
    optimizer: AdamW,
    data: Sequence[Series],
    stack: AugmentationStack,
    draws: StepDraws,
    hp: Hyperparameters,
    *,
    clip: float,
    scores: Scores | None = None,
) -> dict[str, Tensor]:
    """Take one step and return the parts of its loss. Nothing here waits for the device."""
    loss = training_loss(model, data, stack, draws, hp, scores)
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
    data: Sequence[Series],
    stack: AugmentationStack,
    noise: Samples,
    hp: Hyperparameters,
    scores: Scores,
    *,
    batch_size: int,
) -> dict[str, Tensor]:
    """Return the parts of the loss over all of `data`: posterior means, nothing dropped.

    `noise` (of all trials) serves only to estimate divergences that have no closed form; the score
    does not depend on it. At most `batch_size` trials are taken at a time; the result does not
    depend on that, but for `PoissonBPS`, which is defined by its batch.
    """
    whole = Validation(model, dict(model.named_parameters()), data, noise, hp)
    for session, series in enumerate(data):
        for _, some in series.chunks(batch_size):
            batch, effect = stack(model.sizes, model.sizes.sessions[session], some, (), hp)
            outputs = model.infer_sessions([_given(session, batch)])
            recon = _reconstructed(model, session, outputs[0], batch, effect, scores)
            whole.add(session, batch, recon, Posteriors.of(outputs))
    return whole.parts()


def _given(session: int, batch: Series) -> SessionInput:
    encod, ext_input = batch.encod.transpose(0, 1), batch.ext_input.transpose(0, 1)
    return SessionInput(session, encod, ext_input)


def _reconstructed(
    model: LFADS,
    session: int,
    output: LFADSOutput,
    batch: Series,
    effect: Effect,
    scores: Scores | None,
) -> Reconstructed:
    of, recon = model.reconstructions[session], batch.recon.transpose(0, 1)
    given = recon.clone() if of.own else recon
    elements = of.compute_loss(given, output.output_params).transpose(0, 1)
    if scores is not None:
        observed, truth = batch.observed, batch.truth
        if of.counts:
            log_rates = output.output_params[..., 0].detach()
            there = None if observed is None else observed.transpose(0, 1)
            scores.add_counts(log_rates, recon, session, there)
        true_rates = None if truth is None else truth.transpose(0, 1)
        scores.add_rates(output.output_means.detach(), true_rates, session)
    return Reconstructed(mean_of(elements, effect), *heldout_sum(elements, effect))
