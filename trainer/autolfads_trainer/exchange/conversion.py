"""Models and plain weights out of checkpoints, and their files."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.disk import write_bytes
from autolfads_trainer.exchange.configuration import Description, describe
from autolfads_trainer.exchange.lightning import Foreign, is_ours, read_lightning
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.checkpoint import load_file, save_file
from autolfads_trainer.userinput import InputError


def to_lfads(path: Path, config: Mapping[str, Any] | None = None) -> LFADS:
    """Return the model that a checkpoint of the existing pipeline holds, on the CPU, to infer with.

    `config`: the run's own configuration, for what the file does not say. No code in the file is
    run. Raises `InputError` naming the file.
    """
    foreign = read_lightning(path)
    return model_of(foreign, describe(foreign, config))


def model_of(foreign: Foreign, description: Description) -> LFADS:
    """Return the model with these weights, all of which it takes. Raises `InputError`."""
    try:
        model = LFADS(description.model)
        model.load_state_dict(_as_ours(foreign.state_dict, model))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise InputError(f"{foreign.path}: holds no model that fits: {reason}") from error
    return model.eval()


def _as_ours(weights: Mapping[str, Tensor], model: LFADS) -> dict[str, Tensor]:
    """Without a controller its start state is of no size here, and of any there, unused."""
    if model.sizes.has_controller:
        return dict(weights)
    return {**weights, "decoder.con_h0": model.decoder.con_h0.detach()}


def write_ours(foreign: Foreign, model: LFADS, out: Path) -> None:
    """Write a checkpoint that `LFADS.load_from_checkpoint` reads."""
    save_file(
        out,
        {
            "configuration": {"model": model.configuration},
            "state_dict": model.state_dict(),
            "converted_from": {
                "pytorch-lightning_version": foreign.lightning_version,
                "epoch": foreign.epoch,
                "global_step": foreign.global_step,
            },
        },
    )


def plain_weights(path: Path) -> OrderedDict[str, Tensor]:
    """Return the weights of a checkpoint, ours or Lightning's, by the existing pipeline's names.

    Raises `InputError` naming the file.
    """
    weights = (
        load_file(path).get("state_dict") if is_ours(path) else read_lightning(path).state_dict
    )
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(weight, Tensor) for name, weight in weights.items()
    ):
        raise InputError(f"{path}: holds no weights; expected a state_dict, of tensors by name")
    return OrderedDict(weights)


def write_plain(weights: Mapping[str, Tensor], out: Path) -> None:
    """Write weights as `torch.save` does, so that `torch.load(…, weights_only=True)` reads them."""
    buffer = io.BytesIO()
    # Clones: of a slice torch would write all that it is a slice of.
    torch.save(OrderedDict((name, weight.clone()) for name, weight in weights.items()), buffer)
    write_bytes(out, buffer.getvalue())
