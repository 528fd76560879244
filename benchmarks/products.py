"""The matrix products of a training step of the yardstick "mc_maze", and how long they take alone.

A step cannot cost less than its products, each as fast as the library does it: that is the floor.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

BATCH, STEPS, OBSERVED, CHANNELS, HELD_IN = 256, 45, 35, 182, 137
ENCODER, CONTROLLER, CO, GENERATOR, FACTORS, IC = 64, 64, 4, 200, 100, 64


class Product(NamedTuple):
    """`(rows, inner) @ (inner, columns)`, so many times in a step."""

    rows: int
    inner: int
    columns: int
    times: int = 1

    @property
    def flop(self) -> int:
        """Multiplications and additions, of all times."""
        return 2 * self.rows * self.inner * self.columns * self.times


def _layer(
    rows: int, inner: int, columns: int, times: int = 1, *, inputs: bool = True
) -> list[Product]:
    """A linear layer, used `times` times: forward, to its inputs, and to its weights at once."""
    forward = Product(rows, inner, columns, times)
    back = [Product(rows, columns, inner, times)] if inputs else []
    return [forward, *back, Product(columns, rows * times, inner)]


def _gru(units: int, times: int) -> list[Product]:
    """The recurrent products: of both gates, and of the candidate, which waits for them."""
    return [*_layer(BATCH, units, 2 * units, times), *_layer(BATCH, units, units, times)]


def products() -> list[Product]:
    """Return all of a step's, with everything outside of the loops that need not be in them."""
    encoders = 4 * (
        _layer(OBSERVED * BATCH, HELD_IN, 3 * ENCODER, inputs=False) + _gru(ENCODER, OBSERVED)
    )
    start = _layer(BATCH, 2 * ENCODER, 2 * IC) + _layer(BATCH, IC, GENERATOR)
    start += _layer(BATCH, GENERATOR, FACTORS)
    controller = _layer(STEPS * BATCH, 2 * ENCODER, 3 * CONTROLLER)
    controller += _layer(BATCH, FACTORS, 3 * CONTROLLER, STEPS) + _gru(CONTROLLER, STEPS)
    controller += _layer(BATCH, CONTROLLER, 2 * CO, STEPS)
    generator = _layer(BATCH, CO, 3 * GENERATOR, STEPS) + _gru(GENERATOR, STEPS)
    read = _layer(BATCH, GENERATOR, FACTORS, STEPS) + _layer(STEPS * BATCH, FACTORS, CHANNELS)
    return encoders + start + controller + generator + read


def floor(device: torch.device, least: float = 0.02) -> tuple[float, float]:
    """Return the seconds of all products, each alone and again and again, and their GFLOP/s."""
    seconds = 0.0
    for product in products():
        a = torch.randn(product.rows, product.inner, device=device)
        b = torch.randn(product.inner, product.columns, device=device)
        out = torch.empty(product.rows, product.columns, device=device)
        torch.mm(a, b, out=out)
        best, tried = float("inf"), 0.0
        while tried < least:
            began = time.perf_counter()
            for _ in range(4):
                torch.mm(a, b, out=out)
            if device.type == "cuda":
                torch.cuda.synchronize()
            took = time.perf_counter() - began
            best, tried = min(best, took / 4), tried + took
        seconds += best * product.times
    return seconds, sum(each.flop for each in products()) / seconds / 1e9
