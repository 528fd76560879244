"""One member through one generation: the training loop, top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from autolfads_trainer.config.classes import has_own_classes
from autolfads_trainer.config.tunable import hyperparameters_of
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.engine.step import Engine
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.model.noise import Samples, draw_standard
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.training.augmentations.stack import stack_of
from autolfads_trainer.training.checkpoint import load_file, save_file
from autolfads_trainer.training.draws import StepDrawer, seed_of
from autolfads_trainer.training.hyperparameters import Hyperparameters
from autolfads_trainer.training.loss import stacked
from autolfads_trainer.training.optimizer import AdamW
from autolfads_trainer.training.parts import parts_of
from autolfads_trainer.training.plateau import Plateau
from autolfads_trainer.training.precision import exactly
from autolfads_trainer.training.scores import Scores
from autolfads_trainer.training.step import Reference, descend
from autolfads_trainer.training.trained_parts import freeze, take_parts
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


def by_reference(configuration: Mapping[str, Any]) -> bool:
    """Return whether a step is the model itself, and not the engine: asked for, or needed.

    Users' own classes are not known to the engine.
    """
    asked = configuration["trainer"].get("engine") == "reference"
    return bool(asked or has_own_classes(configuration["model"]))


class Member:
    """A model with its optimizer and randomness, in training.

    Weights, moments and the metric's memory come from a checkpoint or are new; the randomness of
    a generation comes from (seed, member, generation) alone, so that it can be repeated.
    """

    def __init__(
        self,
        configuration: Mapping[str, Any],
        data: Dataset,
        leg: Leg,
        seed: int,
        metric: str,
        start: Path | None = None,
    ) -> None:
        """Make it. `start`: where the checkpoint is that the configuration's `start` speaks of."""
        model_settings = configuration["model"]
        self.configuration = configuration
        self.data = data
        self.leg = leg
        self.metric = metric
        device = data.device
        self.device = device
        self.model = LFADS(model_settings, seed_of(seed, "weights", leg.member)).to(device)
        self._begin_with(configuration.get("start"), start)
        for number, session in enumerate(data.sessions):
            if session.pcr is not None:
                self.model.start_from_pcr(number, session.pcr)
        most = data.most_spikes
        self.train_stack = stack_of(model_settings["train_aug_stack"], most)
        self.infer_stack = stack_of(model_settings["infer_aug_stack"], most, "valid")
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
            self.train_stack,
            [session.train.trials for session in data.sessions],
            self.batch_size,
            seed_of(seed, "training", leg.member, leg.generation),
            device,
        )
        self.way: Reference | Engine = (
            Reference(data) if by_reference(configuration) else Engine.of(data)
        )
        self.clip = float(configuration["trainer"]["gradient_clip_val"] or 0)
        # Of the epoch in progress: what the loss is made of, summed over its steps, and scores.
        self.parts = parts_of(model_settings)
        self.sums = torch.zeros(len(self.parts), device=device)
        self.scores = Scores(self.model.sizes, device)
        # The same in every epoch: the validation must not depend on how often it is done.
        validation = torch.Generator(device=device).manual_seed(seed_of(seed, "validation"))
        self.valid_noise = _validation_noise(self.model.sizes, data, validation)
        self.progress = Progress(epoch=leg.start_epoch)

    # Where to start from.
    def _begin_with(self, said: Mapping[str, Any] | None, path: Path | None) -> None:
        if said is not None:
            if path is not None:
                take_parts(self.model, path, said["parts"])
            freeze(self.model, said["frozen"])

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
            self.hp.learning_rate = saved["lr"]

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
        )
        if saved["sums"]:  # none are kept between epochs
            self.sums.copy_(stacked({name: saved["sums"][name] for name in self.parts}))
        try:
            self.drawer.restore(saved["drawer"])
        except RuntimeError:  # a state of another length
            raise InputError(
                f"{path}: was saved on another kind of device; expected one saved on a "
                f"{self.device.type}, since random numbers of the one cannot go on on the other"
            ) from None
        self.scores.restore(saved["scores"])
        self.hp.learning_rate = saved["lr"]
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
                "sums": dict(zip(self.parts, self.sums, strict=True)) if self.drawer.step else {},
                "scores": self.scores.state(),
                "drawer": self.drawer.state(),
                "lr": self.hp.learning_rate,
                "plateau": self.plateau.state() if self.plateau else None,
            },
        )

    # Training.
    def train(self, after_step: Callable[[Member], bool]) -> bool:
        """Train to the end of the leg, or until `after_step`, called between steps, says stop.

        Returns whether the leg is at its end: all its epochs, or a metric that is not finite
        (then further epochs could not mend it).
        """
        while not self.over:
            self.advance()
            if not self.over and after_step(self):
                return False
        return True

    @property
    def over(self) -> bool:
        """Whether the leg is at its end: all its epochs, or a metric that is not finite."""
        return self.progress.epoch >= self.leg.end_epoch or self.lost

    def advance(self) -> None:
        """Take a step, and what belongs before and after it."""
        self.before_step()
        self.take_step()
        if self.drawer.step == 0:
            self.end_epoch(self.trained(), self.validated())

    def before_step(self) -> None:
        """Make ready for a step: an epoch that begins has ramps and sums of its own."""
        self.hp.start_epoch(self.progress.epoch)
        if self.drawer.step == 0:
            self.sums.zero_()
            self.scores.reset()

    def take_step(self) -> None:
        """Take one step, and add to the epoch's sums. Nothing here waits for the device."""
        loss = self.way.training_loss(
            self.model, self.train_stack, self.drawer.draw(), self.hp, self.scores
        )
        descend(loss, self.optimizer, self.hp, clip=self.clip)
        self.sums += loss.stacked()

    def trained(self) -> Row:
        """Return what the epoch in progress came to, in training."""
        found = self.means(self.sums.tolist(), self.drawer.steps_per_epoch)
        return {**found, **self.scores.read()}

    def validated(self) -> Row:
        """Return what the validation trials say now."""
        scores = Scores(self.model.sizes, self.device)
        with exactly(self.device):
            parts = self.way.validation_pass(
                self.model,
                self.infer_stack,
                self.valid_noise,
                self.hp,
                scores,
                batch_size=self.batch_size,
            )
        return {**self.means(stacked(parts).tolist(), 1), **scores.read()}

    def means(self, sums: Sequence[float], steps: int) -> Row:
        """Return the mean over some steps of what a loss is made of, by name."""
        return {name: value / steps for name, value in zip(self.parts, sums, strict=True)}

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

    def end_epoch(self, trained: Row, validated: Row) -> None:
        """Note what an epoch came to, and begin the next."""
        progress = self.progress
        row: Row = {"epoch": progress.epoch}
        row |= {f"train/{name}": value for name, value in trained.items()}
        row |= {f"valid/{name}": value for name, value in validated.items()}
        current, previous = row["valid/recon"], progress.smoothed
        progress.smoothed = (
            current if math.isnan(previous) else SMOOTHING * previous + (1 - SMOOTHING) * current
        )
        row["valid/recon_smth"] = progress.smoothed
        row |= {f"hp/{name}": value for name, value in self.hp.plain.items()}
        if self.plateau:
            rate = self.plateau.next_rate(self.hp.learning_rate, progress.smoothed)
            self.hp.learning_rate = rate
        progress.rows.append(row)
        progress.epoch += 1


def _validation_noise(sizes: Sizes, data: Dataset, generator: torch.Generator) -> Samples:
    """Return standard numbers for all validation trials, one session after another."""
    trials, device = sum(session.valid.trials for session in data.sessions), data.device
    ic = torch.empty(trials, sizes.ic_dim, device=device)
    co = torch.empty(sizes.recon_seq_len, trials, sizes.co_dim, device=device)
    draw_standard(co, sizes.co_df, generator)
    draw_standard(ic, sizes.ic_df, generator)
    return Samples(ic, co)
