"""What every augmentation has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.noise import LEVELS
from autolfads_trainer.model.sizes import SessionSizes, Sizes
from autolfads_trainer.training.hyperparameters import Hyperparameters

OF_A_BATCH = (-3, -2, -1)  # time, trials, channels


class Effect(NamedTuple):
    """How elements of a batch's loss count. None: as they are."""

    observed: Tensor | None = None  # ([M,] R, B, N)  0 where there is nothing to count, else 1
    weights: Tensor | None = None  # ([M,] R, B, N)  what the loss is multiplied with
    flows: Tensor | None = (
        None  # ([M,] T, B, D)  0 where a held-in element's gradient stops, else 1
    )
    heldout: Tensor | None = None  # ([M,] T, B, D)  1 where the loss is told as `recon/sv`, else 0
    # What a user's own augmentations do to the losses (R, B, N) themselves, in their order, and the
    # batch as the whole stack has left it, which they are called with.
    then: tuple[Callable[[Tensor, Series], Tensor], ...] = ()
    batch: Series | None = None

    @property
    def only_flows(self) -> bool:
        """Whether no element's value counts other than as it is."""
        return self.observed is self.weights is self.heldout is None and not self.then

    def and_then(self, other: Effect) -> Effect:
        """Return both, one after the other."""
        return Effect(
            observed=_both(self.observed, other.observed),
            weights=_both(self.weights, other.weights),
            flows=_both(self.flows, other.flows),
            heldout=_both(self.heldout, other.heldout),
            then=self.then + other.then,
        )


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return one if other is None else other
    return one * other


class Augmentation:
    """Changes a batch of one session, says how elements of its loss count, or both.

    What it draws are uniform numbers (see `model.noise.LEVELS`), drawn beforehand.
    """

    def shapes(self, sizes: Sizes, session: SessionSizes, trials: int) -> list[tuple[int, ...]]:
        """Return the shapes of the numbers that a batch of so many trials takes."""
        del sizes, session, trials
        return []

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Return the batch changed, and how elements count.

        Tensors of the batch may be overwritten where it draws numbers: those are this step's own.
        """
        raise NotImplementedError

    def effect_alone(self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters) -> Effect:
        """Return how elements count where it is to change losses, and not the batch."""
        return self(batch, drawn, hp)[1]


def whole_numbers(uniform: Tensor, count: int) -> Tensor:
    """Return uniform numbers as whole ones from 0 to `count` − 1, int64."""
    return ((uniform.long() + LEVELS // 2) * count) // LEVELS


def mean_of(losses: Tensor, effect: Effect) -> Tensor:
    """Return the mean `()` or `(M,)` of element-wise `losses ([M,] R, B, N)`, as they count."""
    if effect.flows is not None:
        losses = flowing(losses, effect.flows)
    if effect.weights is not None:
        losses = losses * effect.weights
    if effect.batch is not None:
        for change in effect.then:
            losses = change(losses, effect.batch)
    if effect.observed is None:
        return losses.mean(dim=OF_A_BATCH)
    there = effect.observed.sum(dim=OF_A_BATCH).clamp_min(1.0)
    return (losses * effect.observed).sum(dim=OF_A_BATCH) / there


def flowing(losses: Tensor, flows: Tensor) -> Tensor:
    """Let gradients flow only from elements whose `flows` is 1, and those that are not held in."""
    steps, channels = flows.shape[-3], flows.shape[-1]
    all_flows = torch.ones_like(losses)
    all_flows[..., :steps, :, :channels] = flows
    return torch.where(all_flows > 0, losses, losses.detach())


def heldout_sum(losses: Tensor, effect: Effect) -> tuple[Tensor, Tensor]:
    """Return the summed loss of what sample validation holds out, and how many elements that is."""
    if effect.heldout is None:
        none = losses.detach().sum(dim=OF_A_BATCH) * 0
        return none, torch.zeros_like(none)
    steps, channels = effect.heldout.shape[-3], effect.heldout.shape[-1]
    held = effect.heldout
    if effect.observed is not None:
        held = held * effect.observed[..., :steps, :, :channels]
    some = losses.detach()[..., :steps, :, :channels]
    return (some * held).sum(dim=OF_A_BATCH), held.sum(dim=OF_A_BATCH)
