"""What the command `autolfads` begins with: an interruption while it loads is told like any other.

Loading takes half a second, and a user who saw a slip of the pen is quicker.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Load the command line and run it."""
    try:
        from autolfads_operator.cli import main as commands  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("autolfads: interrupted; the same command does it\n")
        sys.exit(INTERRUPTED)
    commands()
