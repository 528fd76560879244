"""How many parameters of its distribution a channel has: known without torch for ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autolfads_trainer.config.classes import PARAMETERS
from autolfads_trainer.own_classes import own_class


def parameters_per_channel(reconstruction: Mapping[str, Any]) -> int:
    """Return it for an item of `model.reconstruction` in a resolved configuration.

    A user's own class says it as `n_params`.
    """
    known = PARAMETERS.get(reconstruction["_target_"])
    return known if known is not None else int(own_class(reconstruction).n_params)
