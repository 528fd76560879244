"""Checkpoints as PyTorch Lightning writes them for lfads-torch, made without either.

While one is written, modules of their names hold classes that keep what those of the real ones
keep; when it is read, nothing of those names can be imported.
"""

from __future__ import annotations

import enum
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from small_models import model_settings, randomised
from torch import nn

from autolfads_trainer.config.sections import ModelSection
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.priors import Prior

FOREIGN = ("lfads_torch", "pytorch_lightning", "omegaconf")
TRAINED = {"epoch": 12, "global_step": 345, "pytorch-lightning_version": "1.9.0"}


class AugmentationStack:
    def __init__(self, batch: list[Any], loss: list[Any]) -> None:
        self.batch_transforms, self.loss_transforms = batch, loss


class CoordinatedDropout:
    def __init__(self, cd_rate: Any, cd_pass_rate: float, ic_enc_seq_len: int) -> None:
        self.cd_rate, self.ic_enc_seq_len = cd_rate, ic_enc_seq_len
        self.cd_input_dist = torch.distributions.Bernoulli(1 - torch.tensor(float(cd_rate)))
        self.cd_pass_dist = torch.distributions.Bernoulli(torch.tensor(cd_pass_rate))
        self.grad_masks = [torch.ones(2, 3)]


class TemporalShift:
    def __init__(self, std: float, max_shift: int) -> None:
        self.std, self.max = std, max_shift


class OwnTransform:
    def __init__(self) -> None:
        self.strength = 3


class OwnPrior(nn.Module):
    """Holds what a prior of the existing pipeline holds."""

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        for name, parameter in prior.named_parameters():
            self.register_parameter(name, parameter)
        if hasattr(prior, "df"):
            self.df = prior.df


class AttributeDict(dict[str, Any]):
    pass


class ModelCheckpoint:
    """A class with slots, of which a pickle has a pair of states."""

    __slots__ = ("best", "mode")

    def __init__(self) -> None:
        self.best, self.mode = torch.tensor(0.25), "min"


class RunningStage(enum.Enum):
    TRAINING = "train"


class AnyNode:
    def __init__(self, value: Any, parent: Any) -> None:
        self._metadata, self._parent, self._val = {"optional": True}, parent, value


class ListConfig:
    def __init__(self, values: list[Any]) -> None:
        self._metadata, self._parent = {"flags": None}, None
        self._content = [AnyNode(value, self) for value in values]


class DictConfig:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self._metadata, self._parent = {"flags": None}, None
        self._content = {name: AnyNode(value, self) for name, value in values.items()}


class VerySpecial:
    """Of a module that nobody has heard of."""


PLACES: dict[type, str] = {
    AugmentationStack: "lfads_torch.modules.augmentations",
    CoordinatedDropout: "lfads_torch.modules.augmentations",
    TemporalShift: "lfads_torch.modules.augmentations",
    OwnTransform: "lfads_torch.extensions.mine",
    OwnPrior: "lfads_torch.modules.priors",
    AttributeDict: "pytorch_lightning.utilities.parsing",
    ModelCheckpoint: "pytorch_lightning.callbacks.model_checkpoint",
    RunningStage: "pytorch_lightning.trainer.states",
    AnyNode: "omegaconf.nodes",
    ListConfig: "omegaconf.listconfig",
    DictConfig: "omegaconf.dictconfig",
    VerySpecial: "lfads_torch.special",
}


@contextmanager
def foreign_modules() -> Iterator[None]:
    """Let the classes of this file be found where the real ones are."""
    before = {kind: kind.__module__ for kind in PLACES}
    made: list[str] = []
    try:
        for kind, place in PLACES.items():
            parts = place.split(".")
            for end in range(1, len(parts) + 1):
                name = ".".join(parts[:end])
                if name not in sys.modules:
                    sys.modules[name] = ModuleType(name)
                    made.append(name)
            setattr(sys.modules[place], kind.__name__, kind)
            kind.__module__ = place
        yield
    finally:
        for name in made:
            del sys.modules[name]
        for kind, module in before.items():
            kind.__module__ = module


def hyperparameters(model: LFADS, **changes: Any) -> dict[str, Any]:
    """Return what `save_hyperparameters` keeps of the arguments that make `model`."""
    configuration = model.configuration
    dropout = CoordinatedDropout(0.37, 0.1, configuration["ic_enc_seq_len"])
    found: dict[str, Any] = {name: configuration[name] for name in ModelSection.model_fields}
    readin = configuration["readin"][0]
    found |= {
        "encod_data_dim": readin.get("out_features", configuration["encod_data_dim"]),
        "train_aug_stack": AugmentationStack([dropout], [dropout]),
        "infer_aug_stack": AugmentationStack([], []),
        "co_prior": OwnPrior(model.co_prior),
    }
    found |= changes
    return {name: value for name, value in found.items() if value is not ...}


def checkpoint_of(model: LFADS, **changes: Any) -> dict[str, Any]:
    """Return all that Lightning saves of a model in training; `changes` are hyperparameters."""
    moments = {name: torch.ones(3, 2) for name in ("exp_avg", "exp_avg_sq")}
    optimizer = {
        "state": {0: {"step": torch.tensor(345.0), **moments}},
        "param_groups": [{"lr": np.float64(0.004), "betas": (0.9, 0.999), "params": [0]}],
    }
    return {
        **TRAINED,
        "state_dict": OrderedDict(model.state_dict()),
        "loops": {"fit_loop": {"state_dict": {}, "stage": RunningStage.TRAINING}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": ModelCheckpoint()},
        "optimizer_states": [optimizer],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": hyperparameters(model, **changes),
        "special": VerySpecial(),
    }


def write(path: Path, content: Any, **options: Any) -> Path:
    """Save `content` as Lightning does."""
    with foreign_modules():
        torch.save(content, path, **options)
    return path


def model(seed: int = 3, **settings: Any) -> LFADS:
    """Return a model whose trained weights are all other than at the start."""
    made = LFADS(model_settings(**settings), seed)
    fixed = {k: v.clone() for k, v in made.state_dict().items() if k.endswith("prior.logvar")}
    randomised(made, seed).load_state_dict(fixed, strict=False)
    return made


def saved(path: Path, of: LFADS | None = None, **changes: Any) -> Path:
    """Write a good checkpoint to `path`."""
    return write(path, checkpoint_of(of or model(), **changes))
