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
from autolfads_trainer.training.augmentations.stack import AugmentationStack


@dataclass(frozen=True)
class StepDraws:
    """What one step needs that is random. Given it, the step is deterministic."""

    trials: tuple[Tensor, ...]  # of each session (b,)  which trials, int64
    augmented: tuple[tuple[Tensor, ...], ...]  # of each session, uniform: what its stack draws
    noise: Noise  # of all sessions' trials, one session after another


def seed_of(seed: int, *key: int | str) -> int:
    """Return a generator's seed for (`seed`, key…): the same for ever, different for every key."""
    text = "/".join(str(part) for part in (seed, *key))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


class StepDrawer:
    """Draws the steps of a member's generation, one after another.

    An epoch goes once through the session that has most batches, in a new order; the others begin
    again when they are through. A last batch that is not full is dropped. The state can be saved
    between any two steps and restored.
    """

    def __init__(
        self,
        sizes: Sizes,
        stack: AugmentationStack,
        trials: Sequence[int],
        batch_size: int,
        seed: int,
        device: torch.device,
    ) -> None:
        """Take each session's `trials`; `batch_size` of them, of all sessions together, a step."""
        self.sizes, self.stack = sizes, stack
        self.trials = tuple(trials)
        self.batch_size = batch_size // len(self.trials)  # of each session
        self.steps_of = tuple(count // self.batch_size for count in self.trials)
        self.steps_per_epoch = max(self.steps_of)
        self.generator = torch.Generator(device=device).manual_seed(seed)
        self.orders = [torch.arange(count, device=device) for count in self.trials]
        self.step = 0  # the next step's number within its epoch

    def draw(self) -> StepDraws:
        """Draw everything that is random in the next step."""
        trials = self.next_trials()
        return draw_step(self.sizes, self.stack, trials, self.generator)

    def next_trials(self) -> tuple[Tensor, ...]:
        """Return the trials of the next step; the rest of what it needs is to be drawn after it."""
        chosen = []
        for session, (count, steps) in enumerate(zip(self.trials, self.steps_of, strict=True)):
            at = self.step % steps
            if at == 0:
                order = torch.randperm(
                    count, generator=self.generator, device=self.generator.device
                )
                self.orders[session] = order
            start = at * self.batch_size
            chosen.append(self.orders[session][start : start + self.batch_size])
        self.step = (self.step + 1) % self.steps_per_epoch
        return tuple(chosen)

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs to go on with the very next number."""
        return {
            "generator": self.generator.get_state(),
            "orders": [order.cpu() for order in self.orders],
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.generator.set_state(state["generator"])
        # Before there were several sessions it was one order.
        orders = state["orders"] if "orders" in state else [state["order"]]
        self.orders = [order.to(self.generator.device) for order in orders]
        self.step = int(state["step"])


def draw_step(
    sizes: Sizes, stack: AugmentationStack, trials: Sequence[Tensor], generator: torch.Generator
) -> StepDraws:
    """Draw what a step needs beside each session's `trials (b,)`."""
    drawn = draw_step_of_all(sizes, stack, [each.unsqueeze(0) for each in trials], [generator])
    noise = Noise(**{name: value[0] for name, value in vars(drawn.noise).items()})
    augmented = tuple(tuple(part[0] for part in parts) for parts in drawn.augmented)
    return StepDraws(tuple(trials), augmented, noise)


def draw_step_of_all(
    sizes: Sizes,
    stack: AugmentationStack,
    trials: Sequence[Tensor],
    generators: Sequence[torch.Generator],
) -> StepDraws:
    """Draw what a step of members, each session's `trials (M, b)`, needs, each by its generator.

    All of it has a leading axis of members, and is for each what `draw_step` gives.
    """
    shapes = [
        stack.shapes(sizes, session, each.shape[-1])
        for session, each in zip(sizes.sessions, trials, strict=True)
    ]
    batch = sum(each.shape[-1] for each in trials)
    flat = [shape for of_session in shapes for shape in of_session]
    drawn = draw_uniform_of_all([*flat, *Noise.uniform_shapes(sizes, batch)], generators)
    augmented, taken = [], 0
    for of_session in shapes:
        augmented.append(drawn[taken : taken + len(of_session)])
        taken += len(of_session)
    noise = Noise.of(drawn[taken:], *draw_samples_of_all(sizes, batch, generators))
    return StepDraws(tuple(trials), tuple(augmented), noise)
