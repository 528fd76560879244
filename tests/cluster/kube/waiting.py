"""Waiting for something to come to pass, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(what: str, happens: Callable[[], T | None], seconds: float, every: float = 0.1) -> T:
    """Return what `happens()` returns, as soon as that is true.

    Raises `TimeoutError` that names `what`.
    """
    until = time.monotonic() + seconds
    while not (found := happens()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return found
