"""Saying in one sentence what is wrong with what a user wrote. Shared by operator and trainer."""

from __future__ import annotations

import difflib
import math
import re
import stat
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

MAX_MESSAGE = 10_000  # messages go into records, conditions and terminals
_MOST_COMPARED = 1_000  # words and letters: likeness takes the product of the lengths

# What a terminal obeys instead of showing, and what no encoding has: halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class InputError(ValueError):
    """Input that the user can mend. The message names the file or key, what was found, and what
    was expected; commands print it without a traceback and exit with code 2.

    What it quotes is a stranger's: it is shortened, and made so that it can always be printed."""

    def __init__(self, message: str) -> None:
        if len(message) > MAX_MESSAGE:
            message = f"{message[: MAX_MESSAGE - 3]}..."
        super().__init__(_UNPRINTABLE.sub(_escaped, message))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return ` (did you mean 'x'?)` for the known word closest to `word`, or an empty string."""
    candidates = [name for name in islice(known, _MOST_COMPARED) if len(name) <= _MOST_COMPARED]
    if len(word) > _MOST_COMPARED:
        return ""
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=likeness)
    if not close:  # camelCase against snake_case and a dotted path against its end are near, too
        folded = {_fold(name): name for name in candidates}
        found = difflib.get_close_matches(_fold(word), folded, n=1, cutoff=likeness)
        close = [folded[key] for key in found]
    return f" (did you mean '{close[0]}'?)" if close else ""


def _fold(word: str) -> str:
    return word.replace("_", "").lower()


def is_special(path: Path) -> bool:
    """Return whether `path` is a pipe, a socket or a device: waited for, or read without end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # whoever opens it says what is wrong
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def shown(value: object) -> str:
    """Return `value` as users would write it in YAML, shortened, for an error message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
