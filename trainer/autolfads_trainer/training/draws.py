"""All the randomness of a training step, drawn by one function from the member's own generator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autolfads_trainer.model.noise import Noise, draw_samples_of_all, draw_uniform_of_all
from autolfads_trainer.model.sizes import Sizes


@dataclass(frozen=True)
class StepDraws:
    """What one step needs that is random. Given it, the step is deterministic."""

    trials: Tensor  # (B,)  which trials, int64
    cd_drop: Tensor  # (T − S, B, D)  uniform: coordinated dropout
    cd_pass: Tensor  # (T − S, B, D)  uniform
    noise: Noise


def seed_of(seed: int, *key: int | str) -> int:
    """Return a generator's seed for (`seed`, key…): the same for ever, different for every key."""
    text = "/".join(str(part) for part in (seed, *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


class StepDrawer:
    """Draws the steps of a member's generation, one after another.

    Every epoch goes through the trials in a new order; a last batch that is not full is dropped.
    Its state can be saved between any two steps and restored.
    """

    def __init__(
        self, sizes: Sizes, trials: int, batch_size: int, seed: int, device: torch.device
    ) -> None:
        self.sizes = sizes
        self.trials = trials
        self.batch_size = batch_size
        self.steps_per_epoch = trials // batch_size
        self.generator = torch.Generator(device=device).manual_seed(seed)
        self.order = torch.arange(trials, device=device)
        self.step = 0  # the next step's number within its epoch

    def draw(self) -> StepDraws:
        """Draw everything that is random in the next step."""
        trials = self.next_trials()
        return draw_step(self.sizes, trials, self.generator)

    def next_trials(self) -> Tensor:
        """Return the trials of the next step; the rest of what it needs is to be drawn after it."""
        if self.step == 0:
            device = self.generator.device
            self.order = torch.randperm(self.trials, generator=self.generator, device=device)
        start = self.step * self.batch_size
        self.step = (self.step + 1) % self.steps_per_epoch
        return self.order[start : start + self.batch_size]

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to go on with the very next number."""
        return {
            "generator": self.generator.get_state(),
            "order": self.order.cpu(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.generator.set_state(state["generator"])
        self.order = state["order"].to(self.order.device)
        self.step = int(state["step"])


def draw_step(sizes: Sizes, trials: Tensor, generator: torch.Generator) -> StepDraws:
    """Draw what a step needs beside its `trials (B,)`."""
    drawn = draw_step_of_all(sizes, trials.unsqueeze(0), [generator])
    noise = Noise(**{name: value[0] for name, value in vars(drawn.noise).items()})
    return StepDraws(trials, drawn.cd_drop[0], drawn.cd_pass[0], noise)


def draw_step_of_all(
    sizes: Sizes, trials: Tensor, generators: Sequence[torch.Generator]
) -> StepDraws:
    """Draw what a step of members `trials (M, B)` needs, each by its own generator.

    All of it has a leading axis of members, and is for each what `draw_step` gives.
    """
    batch = trials.shape[-1]
    shape = (sizes.encod_seq_len - sizes.ic_enc_seq_len, batch, sizes.encod_data_dim)
    drop, passing, *uniform = draw_uniform_of_all(
        [shape, shape, *Noise.uniform_shapes(sizes, batch)], generators
    )
    noise = Noise.of(uniform, *draw_samples_of_all(sizes, batch, generators))
    return StepDraws(trials=trials, cd_drop=drop, cd_pass=passing, noise=noise)
