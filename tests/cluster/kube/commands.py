"""Running a command of the machine to its end."""

from __future__ import annotations

import subprocess


def run(*words: str) -> str:
    """Return what a command prints. Raises `RuntimeError` with what it complains of."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
