"""Random numbers that depend on nothing but a run's seed and what they are for.

A controller that is started again must take the decisions it would have taken, also with a newer
Python. So nothing here remembers what was drawn before, and of Python's own generator only
`random()` is used: the one method whose sequence is guaranteed to stay as it is.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


class Stream:
    """A sequence of random numbers of its own for each (seed, purpose, numbers).

    Args:
        seed: the run's recorded seed.
        purpose: what the numbers are for, such as `pair`; other purposes see other numbers.
        numbers: where in the run, such as generation and member.
    """

    def __init__(self, seed: int, purpose: str, *numbers: int) -> None:
        key = json.dumps([seed, purpose, *numbers])
        self._generator = random.Random(int(hashlib.sha256(key.encode("ascii")).hexdigest(), 16))

    def uniform(self) -> float:
        """Return the next number, at least 0 and less than 1."""
        return self._generator.random()

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """Return `items` in random order (Fisher and Yates), and leave `items` as they are."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            chosen = int(self.uniform() * (last + 1))
            result[last], result[chosen] = result[chosen], result[last]
        return result
