"""Spikes, or whole channels, moved a little in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.model.noise import LEVELS
from autolfads_trainer.model.sizes import SessionSizes, Sizes
from autolfads_trainer.training.augmentations.base import Augmentation, Effect, whole_numbers
from autolfads_trainer.training.hyperparameters import Hyperparameters


class SpikeJitter(Augmentation):
    """Moves every spike by −`width` to `width` steps, each as likely, whatever the others do.

    At the edges of the trial it is reflected, so that no spike is lost. What is encoded and what is
    reconstructed are jittered independently of each other. `most`: the largest count in the data.
    """

    def __init__(self, width: int, most: int) -> None:
        self.width, self.most = width, most

    def shapes(self, sizes: Sizes, session: SessionSizes, trials: int) -> list[tuple[int, ...]]:
        """Return the shapes of what moves each spike of a bin: first, second and so on."""
        return [
            (self.most, sizes.encod_seq_len, trials, session.encod_data_dim),
            (self.most, sizes.recon_seq_len, trials, session.recon_data_dim),
        ]

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Move the spikes of both."""
        del hp
        encod, recon = map(self._jittered, (batch.encod, batch.recon), drawn)
        return replace(batch, encod=encod, recon=recon, log_factorials=None), Effect()

    def _jittered(self, counts: Tensor, uniform: Tensor) -> Tensor:
        steps = counts.shape[-3]
        at = torch.arange(steps, device=counts.device)[:, None, None]
        moved = torch.zeros_like(counts)
        for number, of_spike in enumerate(uniform.unbind(dim=-4), start=1):
            to = (at + whole_numbers(of_spike, 2 * self.width + 1) - self.width).abs()
            to = (steps - 1) - ((steps - 1) - to).abs()
            moved.scatter_add_(-3, to.clamp(0, steps - 1), (counts >= number).to(counts.dtype))
        return moved


class TemporalShift(Augmentation):
    """Moves each channel of each trial by a whole number of steps, near N(0, `std`²).

    At most `max_shift` either way; at the edges the outermost value is repeated. What is encoded
    and what is reconstructed are shifted independently of each other.
    """

    def __init__(self, std: float, max_shift: int) -> None:
        self.std, self.max_shift = std, max_shift

    def shapes(self, sizes: Sizes, session: SessionSizes, trials: int) -> list[tuple[int, ...]]:
        """Return the shapes of what moves each channel of each trial."""
        del sizes
        return [(1, trials, session.encod_data_dim), (1, trials, session.recon_data_dim)]

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Shift the data of both, and what is known to be missing with them."""
        del hp
        of_encod, of_recon = (self._shifts(uniform) for uniform in drawn)
        changed = replace(
            batch,
            encod=_shifted(batch.encod, of_encod),
            recon=_shifted(batch.recon, of_recon),
            observed=None if batch.observed is None else _shifted(batch.observed, of_recon),
            log_factorials=None,
        )
        return changed, Effect()

    def _shifts(self, uniform: Tensor) -> Tensor:
        middle = (uniform.double() + (LEVELS // 2 + 0.5)) / LEVELS  # of its interval: never 0 or 1
        shifts: Tensor = torch.special.ndtri(middle) * self.std
        return shifts.round().clamp(-self.max_shift, self.max_shift).long()


def _shifted(values: Tensor, shifts: Tensor) -> Tensor:
    steps = values.shape[-3]
    at = torch.arange(steps, device=values.device)[:, None, None]
    shifted: Tensor = torch.gather(values, -3, (at - shifts).clamp(0, steps - 1))
    return shifted
