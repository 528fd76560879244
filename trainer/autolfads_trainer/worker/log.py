"""What a worker prints, with a bound: its log counts in what a run can need of its disk."""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from dataclasses import dataclass

MOST = 500_000  # bytes that a worker prints in its life
MOST_OF_AN_ERROR = 20_000  # bytes of one traceback: its end says what happened
MOST_OF_A_REASON = 3_000  # bytes of an error in a record


@dataclass
class WorkerLog:
    """Prints to stderr until it is full, and then says so and nothing more."""

    left: int = MOST

    def exception(self) -> None:
        """Print the traceback of the error that is being handled."""
        self.line(traceback.format_exc().rstrip()[-MOST_OF_AN_ERROR:])

    def line(self, text: str) -> None:
        """Print a line."""
        if self.left <= 0:
            return
        self.left -= len(text.encode(errors="replace")) + 1
        if self.left <= 0:
            text = "the log is full: nothing more is said here"
        with contextlib.suppress(OSError):  # it may lie on the very disk that fails
            print(text, file=sys.stderr, flush=True)


def shortened(reason: str) -> str:
    """Return a reason as a record holds it: whole, unless somebody's error is endless."""
    kept, half = reason, MOST_OF_A_REASON // 2
    while len(json.dumps(kept, ensure_ascii=False).encode(errors="replace")) > MOST_OF_A_REASON:
        half = half * 3 // 4
        kept = f"{reason[:half]} … {reason[-half:]}"
    return kept
