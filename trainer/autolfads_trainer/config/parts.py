"""The parts of `model` that name a class: checked, completed, in one canonical shape."""

from __future__ import annotations

from typing import Any

from autolfads_trainer.config import arguments, classes
from autolfads_trainer.config.layers import DEFAULTS
from autolfads_trainer.config.session_parts import SessionParts
from autolfads_trainer.config.stacks import Stacks
from autolfads_trainer.own_classes import check_own
from autolfads_trainer.userinput import InputError


class Parts(SessionParts, Stacks):
    """Checks all of them: a method for each, by the key's name."""

    def ic_prior(self, value: Any) -> dict[str, Any]:
        """Return the prior of the initial condition."""
        return self._prior(value, "ic_prior", "prior of the initial condition", "ic_dim")

    def co_prior(self, value: Any) -> dict[str, Any]:
        """Return the prior of the controller's output."""
        role = "prior of the controller's output"
        return self._prior(value, "co_prior", role, "co_dim")

    def _prior(self, value: Any, name: str, role: str, dim: str) -> dict[str, Any]:
        at = ("model", name)
        part = self.part(value, at, role)
        if not self.model["variational"] and self.layers.origin((*at, "_target_")) == DEFAULTS:
            part = {"_target_": classes.NULL}
        own = classes.is_own(part["_target_"])
        checked = (
            check_own("prior", part, self.where(at), self.model[dim])
            if own
            else self.arguments(part, arguments.PRIORS[part["_target_"]], at)
        )
        none = part["_target_"] == classes.NULL
        if none is self.model["variational"]:
            expected = "a prior" if none else f"{classes.NULL}: nothing is sampled"
            raise InputError(
                f"{self.where((*at, '_target_'))}: found {part['_target_']};"
                f" expected {expected}, since model.variational is"
                f" {str(self.model['variational']).lower()}"
            )
        if not none and not own:
            self.same(checked, "shape", self.model[dim], f"model.{dim}", at)
        return checked
