"""The settings that population-based training may tune: those that keep the weights' shape.

Needs the standard library alone, as the training engine does beside torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.config.bounds import POSITIVE, RATE, SCALE, Bounds
from autolfads_trainer.config.classes import COORDINATED_DROPOUT, canonical

INDEX = "<i>"
_TRANSFORM = f"model.train_aug_stack.transforms.{INDEX}."


@dataclass(frozen=True)
class Setting:
    """One tunable setting."""

    path: str  # in the configuration; `<i>` stands for an index
    name: str  # in fitlog.csv, after `hp/`
    allowed: Bounds
    of: str = ""  # the part of the model without which it has no meaning

    def at(self, path: str) -> bool:
        """Return whether `path` is a path of this setting."""
        pattern = re.escape(self.path).replace(re.escape(INDEX), r"(0|[1-9][0-9]*)")
        return re.fullmatch(pattern, path) is not None


_CONTROLLER = "controller"
_DROPOUT = "coordinated dropout"

SETTINGS: tuple[Setting, ...] = (
    Setting("model.lr_init", "lr_init", POSITIVE),
    Setting("model.dropout_rate", "dropout_rate", RATE),
    Setting(_TRANSFORM + "cd_rate", "cd_rate", RATE, _DROPOUT),
    Setting(_TRANSFORM + "cd_pass_rate", "cd_pass_rate", RATE, _DROPOUT),
    Setting("model.weight_decay", "weight_decay", SCALE),
    Setting("model.l2_ic_enc_scale", "l2_ic_enc_scale", SCALE),
    Setting("model.l2_ci_enc_scale", "l2_ci_enc_scale", SCALE, _CONTROLLER),
    Setting("model.l2_gen_scale", "l2_gen_scale", SCALE),
    Setting("model.l2_con_scale", "l2_con_scale", SCALE, _CONTROLLER),
    Setting("model.kl_ic_scale", "kl_ic_scale", SCALE),
    Setting("model.kl_co_scale", "kl_co_scale", SCALE, _CONTROLLER),
)


def hyperparameters_of(model_configuration: Mapping[str, Any]) -> dict[str, float]:
    """Return every tunable setting of a resolved `model` section by its short name.

    Without coordinated dropout `cd_rate` and `cd_pass_rate` are 0.
    """
    dropout: Mapping[str, Any] = {}
    for transform in model_configuration["train_aug_stack"]["transforms"]:
        if canonical(transform["_target_"]) == COORDINATED_DROPOUT:
            dropout = transform
    return {
        setting.name: float(
            dropout.get(setting.name, 0.0)
            if setting.of == _DROPOUT
            else model_configuration[setting.name]
        )
        for setting in SETTINGS
    }
