"""A member's hyperparameters as tensors, so that a captured step follows when they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from autolfads_trainer.config.tunable import hyperparameters_of


class Hyperparameters:
    """One-element tensors on the device, by short name (`lr_init`, `cd_rate`, …), and the ramps.

    `lr` is the learning rate of the next step: `lr_init`, lowered by the plateau schedule if any.
    What changes from epoch to epoch is held as a number, too, and written to the device when it is
    another: nothing waits for the device to say what it was told.
    """

    def __init__(self, model: Mapping[str, Any], device: torch.device) -> None:
        self.plain = hyperparameters_of(model)
        self.values: dict[str, Tensor] = {
            name: torch.tensor(value, dtype=torch.float32, device=device)
            for name, value in self.plain.items()
        }
        self.lr = self.values["lr_init"].clone()
        self.kl_ramp = torch.zeros((), device=device)
        self.l2_ramp = torch.zeros((), device=device)
        self._told = {"lr": float(self.plain["lr_init"]), "kl_ramp": 0.0, "l2_ramp": 0.0}
        self._kl = (int(model["kl_start_epoch"]), int(model["kl_increase_epoch"]))
        self._l2 = (int(model["l2_start_epoch"]), int(model["l2_increase_epoch"]))

    # Beside `values`, what a step reads.
    OF_A_STEP: ClassVar = ("lr", "kl_ramp", "l2_ramp")

    @classmethod
    def of(cls, values: dict[str, Tensor], **of_a_step: Tensor) -> Hyperparameters:
        """Return what a step reads, of tensors that others change."""
        self = cls.__new__(cls)
        self.plain, self.values = {}, values
        vars(self).update(of_a_step)
        return self

    def __getitem__(self, name: str) -> Tensor:
        return self.values[name]

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step, as single precision holds it."""
        return _single(self._told["lr"])

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._tell("lr", value)

    def start_epoch(self, epoch: int) -> None:
        """Set the ramps for `epoch`, counted from 0."""
        self._tell("kl_ramp", ramp(epoch, *self._kl))
        self._tell("l2_ramp", ramp(epoch, *self._l2))

    def _tell(self, name: str, value: float) -> None:
        if value != self._told[name]:
            self._told[name] = value
            getattr(self, name).fill_(value)


def _single(value: float) -> float:
    """Return a number as single precision holds it."""
    return float(torch.tensor(value, dtype=torch.float32))


def ramp(epoch: int, start: int, increase: int) -> float:
    """Return how much of a penalty acts in `epoch`: 0 before `start`, 1 after `increase` more."""
    return min(max((epoch + 1 - start) / (increase + 1), 0.0), 1.0)
