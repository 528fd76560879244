"""The recurrent loops as one kernel each, for a GPU: the same functions as `encoder` and `decoder`.

A block of threads owns some trials of one member for the whole sequence. Rows of a batch do not
touch each other, so that no block ever waits for another: what goes from one step to the next stays
where that block alone reads it. Weights are read from the GPU's cache at each step.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from autolfads_trainer.engine.controller import Controller, Settings
from autolfads_trainer.engine.decoder import Generator
from autolfads_trainer.engine.decoder import Loop as StepwiseLoop
from autolfads_trainer.engine.fused.blocks import WIDEST
from autolfads_trainer.engine.fused.decoder import Loop
from autolfads_trainer.engine.fused.encoder import SequenceGRU


def sequence(
    inputs: Tensor, start: Tensor, weight: Tensor, kernels: Tensor, clip: float, back: bool
) -> Tensor:
    """Return what `encoder.SequenceGRU` does, with or without an axis of members."""
    if inputs.dim() > 3:
        states: Tensor = SequenceGRU.apply(inputs, start, weight, kernels, clip, back)
        return states
    one = (each.unsqueeze(0) for each in (inputs, start, weight, kernels))
    alone: Tensor = SequenceGRU.apply(*one, clip, back)
    return alone.squeeze(0)


def decoder(settings: Settings, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Return what `decoder.Loop` does, with or without an axis of members."""
    outputs: tuple[Tensor, ...]
    split = len(Generator._fields)
    if tensors[split:] and Controller(*tensors[split:]).out_weight.shape[-2] > 2 * WIDEST:
        outputs = StepwiseLoop.apply(settings, *tensors)  # the kernels have them in one piece
        return outputs
    if settings.external.dim() > 3:
        outputs = Loop.apply(settings, *tensors)
        return outputs
    one = replace(
        settings,
        external=settings.external.unsqueeze(0),
        noise=_one(settings.noise),
        seen=_one(settings.seen),
        read=_one(settings.read),
    )
    outputs = Loop.apply(one, *(each.unsqueeze(0) for each in tensors))
    return tuple(each.squeeze(0) for each in outputs)


def _one(values: Tensor | None) -> Tensor | None:
    return None if values is None else values.unsqueeze(0)
