"""Kubernetes' amounts, as far as they have to be understood here."""

from __future__ import annotations

from decimal import Decimal

_SUFFIXES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def whole_cores(amount: int | str) -> int:
    """Return how many threads keep `amount` cores busy, at least one: `1500m` is 1."""
    text = str(amount)
    if text[-1] in _SUFFIXES:
        value = Decimal(text[:-1]).scaleb(_SUFFIXES[text[-1]])
    else:
        value = Decimal(text)
    return max(1, int(value))
