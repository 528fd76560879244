"""Errors that end a controller's work but not the run."""

from __future__ import annotations


class RunStopped(RuntimeError):  # noqa: N818  (the run is not in error: it waits)
    """The run cannot go on now, but can be started again. The message says what to do."""
