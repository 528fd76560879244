"""How exact the matrix products of training are, on devices that can do with less."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autolfads_trainer.userinput import InputError

TF32_SINCE = (8, 0)  # compute capability
# What torch rounds is one switch of the process, and lanes are threads of it.
_SWITCH = threading.RLock()


def use_precision(asked: str, device: torch.device) -> None:
    """Set what `trainer.precision` asks for: `auto`, `tf32` or `fp32`.

    TF32 rounds the factors of a product to 10 bits and sums in single precision: some 250 times
    less than the noise of a step's gradient, and on a GPU several times as fast. Raises
    `InputError` where it is asked for and the device does not have it.
    """
    has_tf32 = device.type == "cuda" and torch.cuda.get_device_capability(device) >= TF32_SINCE
    if asked == "tf32" and not has_tf32:
        raise InputError(
            f"trainer.precision: found tf32, which {_named(device)} does not have; expected fp32, "
            "or auto for the fastest that is good enough"
        )
    if device.type == "cuda":
        with _SWITCH:
            torch.backends.cuda.matmul.fp32_precision = "ieee" if asked == "fp32" else "tf32"


@contextmanager
def exactly(device: torch.device) -> Iterator[None]:
    """Compute in full single precision here: scores by which members are chosen lie close."""
    if device.type != "cuda":
        yield
        return
    matmul = torch.backends.cuda.matmul
    with _SWITCH:  # until this is over nobody sets it otherwise
        before = matmul.fp32_precision
        matmul.fp32_precision = "ieee"
        try:
            yield
        finally:
            matmul.fp32_precision = before


def _named(device: torch.device) -> str:
    if device.type != "cuda":
        return f"a {device.type.upper()}"
    return f"{torch.cuda.get_device_name(device)}"
