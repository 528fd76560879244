"""Waits between tries of what the API refuses."""

from __future__ import annotations

from autolfads_operator.cluster.client import ApiError

FIRST = 1.0  # seconds


class Backoff:
    """Waits that double, up to `longest` seconds, and are never shorter than the API asks for."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._next = FIRST

    def after(self, error: ApiError) -> float:
        """Return the seconds until the next try."""
        wait = max(self._next, error.retry_after or 0.0)
        self._next = min(2 * self._next, self._longest)
        return wait

    def reset(self) -> None:
        """Begin anew: something went well."""
        self._next = FIRST
