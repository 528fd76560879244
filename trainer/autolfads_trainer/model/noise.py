"""The randomness of one forward pass, drawn beforehand: given it, the pass is deterministic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from autolfads_trainer.model.sizes import Sizes


class Samples(NamedTuple):
    """Standard numbers by which the posteriors are sampled: normal, or t-distributed."""

    ic: Tensor  # (B, I)
    co: Tensor  # (R, B, U)


LEVELS = 1 << 16  # of a uniform number: it is one of k / LEVELS, held as the int16 k − LEVELS / 2


@dataclass(frozen=True)
class Noise:
    """Uniform numbers in [0, 1) for dropout, standard ones for the posteriors' samples.

    They do not depend on any rate, so that rates can be tensors that change between steps. Uniform
    numbers have 16 bits (see `LEVELS`): they are most of what a step draws.
    """

    encoder: Tensor  # (T, B, read-in channels)  uniform: dropout of the encoder's input
    initial_condition: Tensor  # (B, 2E)  uniform
    generator_start: Tensor  # (B, G)  uniform
    ext_input: Tensor  # (R, B, X)  uniform
    controller: Tensor  # (R, B, 2C + F)  uniform
    factors: Tensor  # (R, B, G)  uniform
    ic_sample: Tensor  # (B, I)  standard: see `Samples`
    co_sample: Tensor  # (R, B, U)  standard

    @property
    def samples(self) -> Samples:
        """What the posteriors are sampled by."""
        return Samples(self.ic_sample, self.co_sample)

    @classmethod
    def of(cls, uniform: Sequence[Tensor], ic_sample: Tensor, co_sample: Tensor) -> Noise:
        """Put it together: `uniform` numbers in the order of their fields."""
        names = list(cls.__dataclass_fields__)[: len(uniform)]
        named = dict(zip(names, uniform, strict=True))
        return cls(**named, ic_sample=ic_sample, co_sample=co_sample)

    @staticmethod
    def uniform_shapes(sizes: Sizes, trials: int) -> list[tuple[int, ...]]:
        """Return the shapes of the uniform numbers, in the order of their fields."""
        steps = sizes.recon_seq_len
        controller_inputs = 2 * sizes.ci_enc_dim + sizes.fac_dim if sizes.has_controller else 0
        return [
            (sizes.encod_seq_len, trials, sizes.readin_dim),
            (trials, 2 * sizes.ic_enc_dim),
            (trials, sizes.gen_dim),
            (steps, trials, sizes.ext_input_dim),
            (steps, trials, controller_inputs),
            (steps, trials, sizes.gen_dim),
        ]


def draw_samples(sizes: Sizes, trials: int, generator: torch.Generator) -> Samples:
    """Draw what samples the posteriors of initial condition `(B, I)` and control `(R, B, U)`."""
    ic, co = draw_samples_of_all(sizes, trials, [generator])
    return Samples(ic[0], co[0])


def draw_samples_of_all(
    sizes: Sizes, trials: int, generators: Sequence[torch.Generator]
) -> Samples:
    """Draw the same for members on a leading axis, each by its own generator."""
    device, members = generators[0].device, len(generators)
    shapes = (trials, sizes.ic_dim), (sizes.recon_seq_len, trials, sizes.co_dim)
    ic, co = (torch.empty(members, *shape, device=device) for shape in shapes)
    for number, generator in enumerate(generators):
        draw_standard(ic[number], sizes.ic_df, generator)
        draw_standard(co[number], sizes.co_df, generator)
    return Samples(ic, co)


def draw_standard(into: Tensor, df: float, generator: torch.Generator) -> None:
    """Fill a tensor with standard normal numbers or, with degrees of freedom, t-distributed ones.

    The latter in polar coordinates: Bailey 1994 (Mathematics of Computation 62, 779-781).
    """
    if not df:
        into.normal_(generator=generator)
        return
    angle = torch.rand(into.shape, generator=generator, device=into.device)
    into.uniform_(generator=generator)  # in [0, 1): what is left of 1 is never 0
    torch.log1p(-into, out=into)
    into.mul_(-2 / df).expm1_().mul_(df).sqrt_().mul_(torch.cos(2 * math.pi * angle))


def draw_uniform(
    shapes: Sequence[tuple[int, ...]], generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw uniform numbers (see `LEVELS`) of several shapes at once."""
    return tuple(part[0] for part in draw_uniform_of_all(shapes, [generator]))


def draw_uniform_of_all(
    shapes: Sequence[tuple[int, ...]], generators: Sequence[torch.Generator]
) -> tuple[Tensor, ...]:
    """Draw the same for members on a leading axis, each by its own generator."""
    # Four of them are in each number that a generator gives: each shape begins a new one.
    sizes = [4 * math.ceil(math.prod(shape) / 4) for shape in shapes]
    members = len(generators)
    drawn = torch.empty(members, sum(sizes) // 4, dtype=torch.int64, device=generators[0].device)
    for number, generator in enumerate(generators):
        drawn[number].random_(-(2**63), None, generator=generator)
    parts = torch.split(drawn.view(torch.int16), sizes, dim=1)
    return tuple(
        part[:, : math.prod(shape)].view(members, *shape)
        for part, shape in zip(parts, shapes, strict=True)
    )


def dropout(values: Tensor, uniform: Tensor | None, rate: Tensor | None) -> Tensor:
    """Zero the elements whose `uniform` number is below `rate` and scale the rest to keep the mean.

    `rate` is a tensor with one element; without numbers or rate nothing is dropped.
    """
    if uniform is None or rate is None:
        return values
    return values * at_least(uniform, rate) / (1 - rate)


def at_least(uniform: Tensor, rate: Tensor) -> Tensor:
    """Return where uniform numbers (see `LEVELS`) are at least `rate`."""
    return uniform >= level(rate)


def level(rate: Tensor) -> Tensor:
    """Return the least uniform number that is at least `rate`, as it is held."""
    return (torch.ceil(rate * LEVELS).clamp(max=LEVELS - 1) - LEVELS // 2).to(torch.int16)
