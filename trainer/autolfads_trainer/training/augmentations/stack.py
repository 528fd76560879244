"""Augmentations in their orders: one for batches, one for losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from autolfads_trainer.config import classes
from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.sizes import SessionSizes, Sizes
from autolfads_trainer.training.augmentations.base import Augmentation, Effect
from autolfads_trainer.training.augmentations.coordinated_dropout import CoordinatedDropout
from autolfads_trainer.training.augmentations.jitter import SpikeJitter, TemporalShift
from autolfads_trainer.training.augmentations.missing import SelectiveBackpropThruTime
from autolfads_trainer.training.augmentations.own import OwnAugmentation
from autolfads_trainer.training.augmentations.sample_validation import SampleValidation
from autolfads_trainer.training.hyperparameters import Hyperparameters


class AugmentationStack:
    """`transforms`; `batch_order` and `loss_order` list those that change batches, and losses."""

    def __init__(
        self,
        transforms: Sequence[Augmentation] = (),
        batch_order: Sequence[int] = (),
        loss_order: Sequence[int] = (),
    ) -> None:
        self.transforms, self.loss_order = tuple(transforms), tuple(loss_order)
        # What changes losses alone has to be asked, too, after the batch is what it will be.
        others = [index for index in loss_order if index not in batch_order]
        self.batch_order, self.order = tuple(batch_order), (*batch_order, *others)

    def shapes(self, sizes: Sizes, session: SessionSizes, trials: int) -> list[tuple[int, ...]]:
        """Return the shapes of all uniform numbers that a batch of a session takes."""
        return [
            shape
            for index in self.order
            for shape in self.transforms[index].shapes(sizes, session, trials)
        ]

    def __call__(
        self,
        sizes: Sizes,
        session: SessionSizes,
        batch: Series,
        drawn: Sequence[Tensor],
        hp: Hyperparameters,
    ) -> tuple[Series, Effect]:
        """Return a batch as the model is to see it, and how elements of its loss count."""
        effects: dict[int, Effect] = {}
        taken = 0
        for index in self.order:
            transform = self.transforms[index]
            count = len(transform.shapes(sizes, session, batch.trials))
            some = drawn[taken : taken + count]
            taken += count
            if index in self.batch_order:
                batch, effects[index] = transform(batch, some, hp)
            else:
                effects[index] = transform.effect_alone(batch, some, hp)
        effect = Effect()
        for index in self.loss_order:
            effect = effect.and_then(effects[index])
        return batch, effect._replace(batch=batch if effect.then else None)


def stack_of(
    stack: Mapping[str, Any], most_spikes: int = 0, split: str = "train"
) -> AugmentationStack:
    """Return what an augmentation stack of a resolved configuration names.

    `most_spikes`: the largest count in the data; `split`: whose stack it is, for users' own.
    """
    transforms = [_augmentation(part, most_spikes, split) for part in stack["transforms"]]
    return AugmentationStack(transforms, stack["batch_order"], stack["loss_order"])


def _augmentation(part: Mapping[str, Any], most_spikes: int, split: str) -> Augmentation:
    target = part["_target_"]
    if classes.is_own(target):
        return OwnAugmentation(part, split)
    make = _KINDS[target]
    return make(part, most_spikes)


_KINDS: dict[str, Callable[[Mapping[str, Any], int], Augmentation]] = {
    classes.COORDINATED_DROPOUT: lambda part, _: CoordinatedDropout(part["ic_enc_seq_len"]),
    classes.SAMPLE_VALIDATION: lambda part, _: SampleValidation(
        part["sv_rate"], part["ic_enc_seq_len"]
    ),
    classes.SELECTIVE_BACKPROP: lambda *_: SelectiveBackpropThruTime(),
    classes.SPIKE_JITTER: lambda part, most: SpikeJitter(part["width"], most),
    classes.TEMPORAL_SHIFT: lambda part, _: TemporalShift(part["std"], part["max_shift"]),
}
