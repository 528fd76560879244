"""Inputs of the loops through time, of any size, and what compares their outputs and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace

import torch
from torch import Tensor

from autolfads_trainer.engine.controller import Controller, Settings
from autolfads_trainer.engine.decoder import Generator
from autolfads_trainer.engine.loops import STEPWISE, Loops

Draw = Callable[..., Tensor]
CASES = ["usual", "a low limit", "external input", "no controller", "means"]


def random(seed: int, device: str = "cpu") -> Draw:
    """Return what draws standard normal numbers of a shape."""
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator).to(device)


def gradients(
    outputs: Sequence[Tensor], tensors: Sequence[Tensor], of: Sequence[Tensor | None]
) -> list[Tensor]:
    """Return the gradients of the sum of outputs that are weighted by `of`."""
    chosen = [(output, each) for output, each in zip(outputs, of, strict=True) if each is not None]
    total = torch.stack([(output * each.to(output.dtype)).sum() for output, each in chosen]).sum()
    return list(torch.autograd.grad(total, tensors))


def leaves(tensors: Sequence[Tensor], kind: torch.dtype) -> list[Tensor]:
    return [each.detach().to(kind).requires_grad_() for each in tensors]


def assert_same(
    found: Sequence[Tensor], expected: Sequence[Tensor], relative: float = 1e-4
) -> None:
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert one.shape == other.shape, number
        size = float(other.detach().abs().max()) if other.numel() else 0.0
        torch.testing.assert_close(
            one.double(),
            other.double(),
            rtol=relative,
            atol=0.2 * relative * max(1.0, size),
            msg=f"number {number}",
        )


def sequence_of(draw: Draw, sizes: tuple[int, ...]) -> list[Tensor]:
    """Return inputs, start, weights and kernels of a GRU."""
    members, steps, trials, inputs, units = sizes
    return [
        draw(members, steps, trials, inputs),
        2 * draw(members, trials, units),  # beyond the limit, too
        draw(members, 3 * units, inputs) / inputs**0.5,
        draw(members, 3 * units, units) / units**0.5,
    ]


def settings_of(draw: Draw, size: dict[str, int], case: str) -> Settings:
    """Return what has no gradient: masks and noise, or none."""
    shape = size["members"], size["steps"], size["trials"]
    seen = 2 * size["encoded"] + size["factors"]
    masks = [(draw(*shape, width) > -1).float() for width in (seen, size["generator"])]
    return Settings(
        clip=0.4 if case == "a low limit" else 5.0,
        external=draw(*shape, 3 if case == "external input" else 0),
        noise=None if case == "means" else draw(*shape, size["outputs"]),
        seen=None if case == "means" else masks[0],
        read=None if case == "means" else masks[1],
    )


def tensors_of(draw: Draw, size: dict[str, int], case: str) -> list[Tensor]:
    """Return generator and controller, unless there is none."""
    members, trials = size["members"], size["trials"]
    g, f, k, u = (size[name] for name in ("generator", "factors", "controller", "outputs"))
    external = 3 if case == "external input" else 0
    controlled = case != "no controller"
    inputs = (u if controlled else 0) + external + 1
    generator = Generator(
        2 * draw(members, trials, g),
        draw(members, trials, f),
        draw(members, 3 * g, inputs),
        draw(members, 3 * g, g) / g**0.5,
        draw(members, f, g) / g**0.5,
    )
    if not controlled:
        return list(generator)
    encoded = 2 * size["encoded"]
    controller = Controller(
        draw(members, size["steps"], trials, encoded),
        draw(members, trials, k),
        draw(members, 3 * k, encoded + f + 1) / (encoded + f) ** 0.5,
        draw(members, 3 * k, k) / k**0.5,
        draw(members, 2 * u, k) / k**0.5,
        draw(members, 2 * u),
    )
    return [*generator, *controller]


def compare_sequences(
    loops: Loops, draw: Draw, sizes: tuple[int, ...], clip: float, back: bool, relative: float
) -> None:
    """See that a GRU's states and gradients are those of the steps in double precision."""
    tensors = sequence_of(draw, sizes)
    weights = [draw(*sizes[:3], sizes[-1])]
    ours, theirs = leaves(tensors, torch.float32), leaves(tensors, torch.float64)
    found = loops.sequence(*ours, clip, back)
    expected = STEPWISE.sequence(*theirs, clip, back)
    assert_same([found], [expected], relative)
    assert_same(gradients([found], ours, weights), gradients([expected], theirs, weights), relative)


def compare_decoders(
    loops: Loops, draw: Draw, size: dict[str, int], case: str, relative: float
) -> None:
    """See that a decoder's outputs and gradients are those of the steps in double precision."""
    settings, tensors = settings_of(draw, size, case), tensors_of(draw, size, case)
    for of_all in (True, False):  # or of the factors alone
        ours, theirs = leaves(tensors, torch.float32), leaves(tensors, torch.float64)
        found = loops.decoder(settings, *ours)
        expected = STEPWISE.decoder(in_kind(settings, torch.float64), *theirs)
        assert_same(found, expected, relative)
        of = [draw(*each.shape) if of_all or name == 1 else None for name, each in enumerate(found)]
        assert_same(gradients(found, ours, of), gradients(expected, theirs, of), relative)


def in_kind(settings: Settings, kind: torch.dtype) -> Settings:
    changed = {
        field.name: value.to(kind)
        for field in fields(settings)
        if isinstance(value := getattr(settings, field.name), Tensor)
    }
    return replace(settings, **changed)
