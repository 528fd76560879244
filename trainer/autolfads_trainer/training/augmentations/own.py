"""Augmentations of a user's own, which have the existing pipeline's methods: trials come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.engine.series import Series
from autolfads_trainer.own_classes import made
from autolfads_trainer.training.augmentations.base import Augmentation, Effect
from autolfads_trainer.training.hyperparameters import Hyperparameters


class SessionBatch(NamedTuple):
    """What `process_batch` gets and returns, in this order. Names are the existing pipeline's."""

    encod_data: Tensor  # (B, T, D)
    recon_data: Tensor  # (B, R, N)
    ext_input: Tensor  # (B, steps, X)
    truth: Tensor  # (B, R, N); (B, 0, 0): there is none
    sv_mask: Tensor  # (B, T, D); (B, 0, 0): there is none


class OwnAugmentation(Augmentation):
    """Calls a user's `process_batch(batch)` and `process_losses(losses, batch, log_fn, split)`.

    What it draws comes from torch's own generator, which is set for each step by the member's.
    """

    def __init__(self, part: Mapping[str, Any], split: str) -> None:
        self.own, self.split, self.target = made(part), split, part["_target_"]

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Return the batch that it makes, and a call of its `process_losses` for later."""
        del drawn, hp
        given = _given(batch)
        if hasattr(self.own, "process_batch"):
            given = SessionBatch(*self.own.process_batch(given))
            batch = replace(
                batch,
                encod=_time_first(given.encod_data),
                recon=_time_first(given.recon_data),
                ext_input=_time_first(given.ext_input),
                log_factorials=None,
            )
        if not hasattr(self.own, "process_losses"):
            return batch, Effect()

        def then(losses: Tensor) -> Tensor:
            processed = self.own.process_losses(losses.transpose(0, 1), given, _no_log, self.split)
            changed: Tensor = processed.transpose(0, 1)
            return changed

        return batch, Effect(then=(then,))


def _given(batch: Series) -> SessionBatch:
    none = batch.encod.new_zeros(batch.trials, 0, 0)
    parts = (batch.encod, batch.recon, batch.ext_input, batch.truth, batch.sv_mask)
    return SessionBatch(*(none if one is None else one.transpose(0, 1) for one in parts))


def _time_first(values: Tensor) -> Tensor:
    return values.transpose(0, 1)


def _no_log(name: str, value: Any) -> None:
    """Take what it would log: the fit log has its own columns."""


def seed_from(numbers: Tensor) -> int:
    """Return a seed for torch's own generator, from numbers that were drawn for a step."""
    return int(numbers.detach().flatten()[:4].to(torch.int64).sum() * 2654435761 % 2**31)
