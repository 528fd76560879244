"""Which files a run's data are: one for each session."""

from __future__ import annotations

import glob
from pathlib import Path

from autolfads_trainer.userinput import InputError

MOST_SESSIONS = 1000
_MAGIC = set("*?[")


def paths_of(pattern: str | Path) -> list[Path]:
    """Return the files that a path or a glob stands for, sorted. Raises `InputError` for none."""
    text = str(pattern)
    if not _MAGIC & set(text) or Path(text).exists():
        return [Path(text)]
    there = map(Path, glob.glob(text))  # noqa: PTH207 (an absolute one, too)
    found = sorted(path for path in there if path.is_file())
    if not found:
        raise InputError(f"{text}: no file is called so; expected one data file or more")
    if len(found) > MOST_SESSIONS:
        raise InputError(f"{text}: {len(found)} files are; expected at most {MOST_SESSIONS}")
    return found
