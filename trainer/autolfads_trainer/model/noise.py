"""The randomness of one forward pass, drawn beforehand: given it, the pass is deterministic."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autolfads_trainer.model.sizes import Sizes


@dataclass(frozen=True)
class Noise:
    """Uniform numbers in [0, 1) for dropout, standard normal ones for the posteriors' samples.

    They do not depend on any rate, so that rates can be tensors that change between steps.
    """

    encoder: Tensor  # (T, B, read-in channels)  uniform: dropout of the encoder's input
    initial_condition: Tensor  # (B, 2E)  uniform
    generator_start: Tensor  # (B, G)  uniform
    ext_input: Tensor  # (R, B, X)  uniform
    controller: Tensor  # (R, B, 2C + F)  uniform
    factors: Tensor  # (R, B, G)  uniform
    ic_sample: Tensor  # (B, I)  normal
    co_sample: Tensor  # (R, B, U)  normal


def draw_noise(sizes: Sizes, trials: int, generator: torch.Generator) -> Noise:
    """Draw the noise of one pass over `trials` trials, on the generator's device."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=generator.device)

    steps = sizes.recon_seq_len
    controller_inputs = 2 * sizes.ci_enc_dim + sizes.fac_dim if sizes.has_controller else 0
    return Noise(
        encoder=uniform(sizes.encod_seq_len, trials, sizes.readin_dim),
        initial_condition=uniform(trials, 2 * sizes.ic_enc_dim),
        generator_start=uniform(trials, sizes.gen_dim),
        ext_input=uniform(steps, trials, sizes.ext_input_dim),
        controller=uniform(steps, trials, controller_inputs),
        factors=uniform(steps, trials, sizes.gen_dim),
        ic_sample=normal(trials, sizes.ic_dim),
        co_sample=normal(steps, trials, sizes.co_dim),
    )


def dropout(values: Tensor, uniform: Tensor | None, rate: Tensor | None) -> Tensor:
    """Zero the elements whose `uniform` number is below `rate` and scale the rest to keep the mean.

    `rate` is a tensor with one element; without numbers or rate nothing is dropped.
    """
    if uniform is None or rate is None:
        return values
    return values * (uniform >= rate) / (1 - rate)
