"""What is told of start values: to the user, and in the files."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from autolfads_trainer.data.pcr.alignment import correlation
from autolfads_trainer.data.pcr.sessions import Result, Session
from autolfads_trainer.data.pcr.settings import Settings
from autolfads_trainer.data.starts import READOUT_BIAS


def attributes(
    result: Result, session: Session, settings: Settings
) -> dict[str, str | int | float]:
    """Return what a file says of how its start values were made."""
    return {
        "alignment": result.alignment,
        "sessions": len(result.sessions),
        "averages": "all trials" if result.key is None else f"conditions of train_{result.key}",
        "conditions": result.conditions,
        "smooth_bins": session.smooth_bins,
        "ridge": settings.ridge,
    }


def report(result: Result) -> Iterator[str]:
    """Yield, line by line, what was compared and how well it fits."""
    files = _many(len(result.sessions), "file")
    if result.key is None:
        yield f"averages of all training trials of {files}"
    else:
        of = ", ".join(str(len(session.averages.of)) for session in result.sessions)
        conditions = _many(result.conditions, "condition")
        yield f"{conditions} of train_{result.key} in {files} (of {of})"
    yield f"{_many(result.components, 'component')}: expected as fac_dim of the model"
    for session in result.sessions:
        heldin, channels = len(session.start.mean), len(session.arrays[READOUT_BIAS])
        held_out = f" and {channels - heldin} held out" if channels > heldin else ""
        yield (
            f"{session.path}: {_many(heldin, 'channel')}{held_out}; the components explain "
            f"{session.start.explained:.1%} of the variance of the averages"
        )
    pairs = {
        pair: correlation(pair[0].start.trajectories, pair[1].start.trajectories)
        for pair in combinations(result.sessions, 2)
    }
    if pairs:
        one, other = min(pairs, key=pairs.__getitem__)
        mean = sum(pairs.values()) / len(pairs)
        least = f", {pairs[one, other]:.3f} at least ({one.path} and {other.path})"
        yield (
            f"correlation of aligned trajectories between sessions: {mean:.3f}"
            f"{' on average' + least if len(pairs) > 1 else ''}"
        )


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
