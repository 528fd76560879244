"""Waiting for something to come to pass, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    what: str, happens: Callable[[], object], seconds: float, every: float = 0.1
) -> None:
    """Return as soon as `happens()` is true. Raises `TimeoutError` that names `what`."""
    until = time.monotonic() + seconds
    while not happens():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
