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
from autolfads_trainer.userinput import InputError


class SessionBatch(NamedTuple):
    """What `process_batch` gets and returns, in this order. Names are the existing pipeline's."""

    encod_data: Tensor  # (B, T, D)
    recon_data: Tensor  # (B, R, N)
    ext_input: Tensor  # (B, steps, X)
    truth: Tensor  # (B, R, N); (B, 0, 0): there is none
    sv_mask: Tensor  # (B, T, D); (B, 0, 0): there is none


class OwnAugmentation(Augmentation):
    """Calls a user's `process_batch(batch)` and `process_losses(losses, batch, log_fn, split)`.

    What it draws comes from torch's own generator, which is set for each step by the member's. Both
    get copies, and what comes back is copied: users' code may work in place.
    """

    def __init__(self, part: Mapping[str, Any], split: str) -> None:
        self.own, self.split, self.target = made(part), split, part["_target_"]

    def __call__(
        self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters
    ) -> tuple[Series, Effect]:
        """Return the batch that it makes, and a call of its `process_losses` for later."""
        if hasattr(self.own, "process_batch"):
            given = _given(batch)
            shapes = [tuple(each.shape) for each in given]  # before it works in place
            found = self._of_the_same_shapes(self.own.process_batch(given), shapes)
            batch = replace(
                batch,
                encod=_time_first(found.encod_data, batch.encod),
                recon=_time_first(found.recon_data, batch.recon),
                ext_input=_time_first(found.ext_input, batch.ext_input),
                log_factorials=None,
            )
        return batch, self.effect_alone(batch, drawn, hp)

    def effect_alone(self, batch: Series, drawn: Sequence[Tensor], hp: Hyperparameters) -> Effect:
        """Return the call of its `process_losses`; its `process_batch` is not called."""
        del batch, drawn, hp
        return Effect(then=(self._then,)) if hasattr(self.own, "process_losses") else Effect()

    def _then(self, losses: Tensor, batch: Series) -> Tensor:
        before = losses.transpose(0, 1)
        found = self.own.process_losses(before, _given(batch), _no_log, self.split)
        if not isinstance(found, Tensor) or found.shape != before.shape:
            raise InputError(
                f"{self.target}.process_losses(): returned {_shown(found)}; expected the losses, "
                f"changed, of the shape {tuple(before.shape)}"
            )
        return found.transpose(0, 1)

    def _of_the_same_shapes(self, found: Any, shapes: list[tuple[int, ...]]) -> SessionBatch:
        what, names = f"{self.target}.process_batch()", SessionBatch._fields
        if not isinstance(found, tuple | list) or len(found) != len(names):
            raise InputError(
                f"{what}: returned {_shown(found)}; expected the batch, changed: a tuple of "
                + ", ".join(names)
            )
        for name, value, shape in zip(names[:3], found, shapes, strict=False):
            if not isinstance(value, Tensor) or value.shape != shape:
                raise InputError(
                    f"{what}: returned {_shown(value)} as {name}; expected the shape {shape}"
                )
        return SessionBatch(*found)


def _given(batch: Series) -> SessionBatch:
    none = batch.encod.new_zeros(batch.trials, 0, 0)
    parts = (batch.encod, batch.recon, batch.ext_input, batch.truth, batch.sv_mask)
    return SessionBatch(*(none if one is None else one.transpose(0, 1).clone() for one in parts))


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of the shape {tuple(value.shape)}"
    length = f" of {len(value)}" if isinstance(value, tuple | list) else ""
    return f"a {type(value).__name__}{length}"


def _time_first(values: Tensor, like: Tensor) -> Tensor:
    return torch.empty_like(like).copy_(values.transpose(0, 1))


def _no_log(name: str, value: Any) -> None:
    """Take what it would log: the fit log has its own columns."""


def seed_from(numbers: Tensor) -> int:
    """Return a seed for torch's own generator, from numbers that were drawn for a step."""
    return int(numbers.detach().flatten()[:4].to(torch.int64).sum() * 2654435761 % 2**31)
