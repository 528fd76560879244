"""What a safeguard is: how to turn it off, and the test that must notice."""

from __future__ import annotations

from typing import NamedTuple

TRAINER = "trainer/autolfads_trainer"
OPERATOR = "operator/autolfads_operator"


class Safeguard(NamedTuple):
    """One safeguard.

    A name, a file below the repository, the text that makes the safeguard and stands in the file
    exactly once, what stands there without it, and a test that fails then.
    """

    name: str
    file: str
    text: str
    without: str
    test: str
