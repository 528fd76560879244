"""What a loss is made of, by the names that the fit log gives it, in their order. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autolfads_trainer.config.classes import SAMPLE_VALIDATION

_OTHERS = ("wt_l2", "wt_l2/ramp", "wt_kl", "wt_kl/ic", "wt_kl/co", "wt_kl/ramp")
SCORES = ("bps", "co_bps", "fp_bps", "r2")


def parts_of(model: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of the loss of a resolved configuration's `model` section."""
    sessions = range(len(model["reconstruction"]))
    transforms = model["train_aug_stack"]["transforms"]
    held = ["recon/sv"] if any(t["_target_"] == SAMPLE_VALIDATION for t in transforms) else []
    return ("loss", "recon", *(f"recon/sess{number}" for number in sessions), *held, *_OTHERS)


def scores_of(sessions: int) -> tuple[str, ...]:
    """Return the names of scores: the mean over sessions and, of more than one, each session's."""
    if sessions == 1:
        return SCORES
    each = (f"{name}/sess{number}" for number in range(sessions) for name in SCORES)
    return (*SCORES, *each)
