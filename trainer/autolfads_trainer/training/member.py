"""One member through one generation: the training loop, top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.config.tunable import hyperparameters_of
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.engine.step import Engine
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.checkpoint import load_file, save_file
from autolfads_trainer.training.draws import StepDrawer, seed_of
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.optimizer import AdamW
from autolfads_trainer.training.plateau import Plateau
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import Reference, descend
from autolfads_trainer.userinput import InputError

SMOOTHING = 0.3  # valid/recon_smth = 0.3 · previous + 0.7 · current

Row = dict[str, float]


@dataclass(frozen=True)
class Leg:
    """What is to be trained: a member, a generation, and from which epoch for how many."""

    member: int
    generation: int
    start_epoch: int
    epochs: int

    @property
    def end_epoch(self) -> int:
        """The epoch, counted from 0, after the last one."""
        return self.start_epoch + self.epochs


@dataclass
class Progress:
    """Where a member is within its generation; all of it is in every checkpoint."""

    epoch: int  # epochs completed, of the whole training that this member's weights went through
    rows: list[Row] = field(default_factory=list)  # of this generation
    smoothed: float = math.nan  # the metric's memory; travels with a copy
    sums: dict[str, Tensor] = field(default_factory=dict)  # of the epoch in progress


def by_reference(configuration: Mapping[str, Any]) -> bool:
    """Return whether `trainer.engine` asks for the model itself, and not for the engine."""
    return bool(configuration["trainer"].get("engine") == "reference")


class Member:
    """A model with its optimizer and randomness, in training.

    Weights, moments and the metric's memory come from a checkpoint or are new; the randomness of
    a generation comes from (seed, member, generation) alone, so that it can be repeated.
    """

    def __init__(
        self, configuration: Mapping[str, Any], data: Dataset, leg: Leg, seed: int, metric: str
    ) -> None:
        model_settings = configuration["model"]
        self.configuration = configuration
        self.data = data
        self.leg = leg
        self.metric = metric
        device = data.train.encod.device
        self.device = device
        self.model = LFADS(model_settings, seed_of(seed, "weights", leg.member)).to(device)
        self.hp = Hyperparameters(model_settings, device)
        betas = (float(model_settings["lr_adam_beta1"]), float(model_settings["lr_adam_beta2"]))
        self.optimizer = AdamW(
            dict(self.model.named_parameters()), betas, float(model_settings["lr_adam_epsilon"])
        )
        self.plateau = (
            Plateau(
                decay=float(model_settings["lr_decay"]),
                patience=int(model_settings["lr_patience"]),
                floor=float(model_settings["lr_stop"]),
            )
            if model_settings["lr_scheduler"]
            else None
        )
        self.batch_size = int(configuration["datamodule"]["batch_size"])
        self.drawer = StepDrawer(
            self.model.sizes,
            data.train.trials,
            self.batch_size,
            seed_of(seed, "training", leg.member, leg.generation),
            device,
        )
        self.way: Reference | Engine = (
            Reference(data) if by_reference(configuration) else Engine(data)
        )
        self.clip = float(configuration["trainer"]["gradient_clip_val"] or 0)
        self.scores = Scores(self.model.sizes, device)
        # The same in every epoch: the validation must not depend on how often it is done.
        validation = torch.Generator(device=device).manual_seed(seed_of(seed, "validation"))
        sizes = self.model.sizes
        self.valid_noise = torch.randn(
            (sizes.recon_seq_len, data.valid.trials, sizes.co_dim),
            generator=validation,
            device=device,
        )
        self.progress = Progress(epoch=leg.start_epoch)

    # Where to start from.
    def start_from_parent(self, path: Path) -> None:
        """Take over weights, moments and metric memory from the end of a generation.

        The learning rate is a plateau schedule's, unless this member's `lr_init` is another than
        the parent's: then it is that, in the very next step, and its schedule begins anew.
        """
        saved = load_file(path)
        self._restore_model(saved)
        self.progress.smoothed = saved["smoothed"]
        parent_lr = hyperparameters_of(saved["configuration"]["model"])["lr_init"]
        if self.plateau and parent_lr == self.hp.plain["lr_init"]:
            self.plateau.restore(saved["plateau"])
            self.hp.lr.fill_(saved["lr"])

    def resume(self, path: Path) -> None:
        """Go on exactly where an earlier attempt at this generation was saved.

        Raises `InputError` where that was on another kind of device: its random numbers cannot be
        gone on with.
        """
        saved = load_file(path)
        self._restore_model(saved)
        self.progress = Progress(
            epoch=saved["epoch"],
            rows=[dict(row) for row in saved["rows"]],
            smoothed=saved["smoothed"],
            sums={name: value.to(self.device) for name, value in saved["sums"].items()},
        )
        try:
            self.drawer.restore(saved["drawer"])
        except RuntimeError:  # a state of another length
            raise InputError(
                f"{path}: was saved on another kind of device; expected one saved on a "
                f"{self.device.type}, since random numbers of the one cannot go on on the other"
            ) from None
        self.scores.restore(saved["scores"])
        self.hp.lr.fill_(saved["lr"])
        if self.plateau:
            self.plateau.restore(saved["plateau"])

    def _restore_model(self, saved: Mapping[str, Any]) -> None:
        self.model.load_state_dict(saved["state_dict"])
        self.optimizer.restore(saved["optimizer"])

    def save(self, path: Path) -> str:
        """Write all that `resume` needs, and all that a copy needs; return the file's sha256."""
        progress = self.progress
        return save_file(
            path,
            {
                "configuration": dict(self.configuration),
                "state_dict": self.model.state_dict(),
                "optimizer": self.optimizer.state(),
                "epoch": progress.epoch,
                "rows": progress.rows,
                "smoothed": progress.smoothed,
                "sums": progress.sums,
                "scores": self.scores.state(),
                "drawer": self.drawer.state(),
                "lr": float(self.hp.lr),
                "plateau": self.plateau.state() if self.plateau else None,
            },
        )

    # Training.
    def train(self, after_step: Callable[[Member], bool]) -> bool:
        """Train to the end of the leg, or until `after_step`, called between steps, says stop.

        Returns whether the leg is at its end: all its epochs, or a metric that is not finite
        (then further epochs could not mend it).
        """
        while self.progress.epoch < self.leg.end_epoch and not self.lost:
            if self.drawer.step == 0 and not self.progress.sums:
                self.scores.reset()
            self.hp.start_epoch(self.progress.epoch)
            for _ in range(self.drawer.step, self.drawer.steps_per_epoch):
                sums = self.progress.sums
                for name, value in self.take_step().items():
                    sums[name] = sums.get(name, torch.zeros_like(value)) + value
                last = self.drawer.step == 0
                if not last and after_step(self):
                    return False
            self._end_epoch()
            at_end = self.lost or self.progress.epoch == self.leg.end_epoch
            if not at_end and after_step(self):
                return False
        return True

    def take_step(self) -> dict[str, Tensor]:
        """Take one step; return the parts of its loss. Nothing here waits for the device."""
        loss = self.way.training_loss(self.model, self.drawer.draw(), self.hp, self.scores)
        descend(loss, self.optimizer, self.hp, clip=self.clip)
        return loss.parts

    @property
    def score(self) -> float:
        """The newest value of the metric; NaN before the first epoch's end."""
        rows = self.progress.rows
        return rows[-1][self.metric] if rows else math.nan

    @property
    def lost(self) -> bool:
        """Whether the last epoch left no finite metric: no further epoch could mend that."""
        ended = bool(self.progress.rows)
        return ended and not (math.isfinite(self.score) and math.isfinite(self.progress.smoothed))

    @property
    def position(self) -> float:
        """Epochs completed, with the fraction of the one in progress."""
        return self.progress.epoch + self.drawer.step / self.drawer.steps_per_epoch

    def _end_epoch(self) -> None:
        progress, steps = self.progress, self.drawer.steps_per_epoch
        row: Row = {"epoch": progress.epoch}
        row |= {f"train/{name}": float(value) / steps for name, value in progress.sums.items()}
        row |= {f"train/{name}": value for name, value in self.scores.read().items()}

        scores = Scores(self.model.sizes, self.device)
        parts = self.way.validation_pass(
            self.model, self.valid_noise, self.hp, scores, batch_size=self.batch_size
        )
        row |= {f"valid/{name}": float(value) for name, value in parts.items()}
        row |= {f"valid/{name}": value for name, value in scores.read().items()}

        current, previous = row["valid/recon"], progress.smoothed
        progress.smoothed = (
            current if math.isnan(previous) else SMOOTHING * previous + (1 - SMOOTHING) * current
        )
        row["valid/recon_smth"] = progress.smoothed
        row |= {f"hp/{name}": value for name, value in self.hp.plain.items()}
        if self.plateau:
            self.hp.lr.fill_(self.plateau.next_rate(float(self.hp.lr), progress.smoothed))
        progress.rows.append(row)
        progress.epoch += 1
        progress.sums = {}
