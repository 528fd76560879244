"""Played runs that are looked back at, and changes to their records."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ledger_examples import Mini
from played_pool import PlayedPool, Plays, controller_for

from autolfads_operator.replay import Records, Report, read_records, replay
from autolfads_trainer.store import RunFolder


def records_of(root: Path) -> Records:
    folder = RunFolder(root)
    owner = folder.owner()
    assert owner is not None
    return read_records(folder, owner)


def replayed(root: Path) -> Report:
    return replay(records_of(root))


def told(root: Path) -> list[str]:
    """Return what is found, in words."""
    return [str(finding) for finding in replayed(root).findings]


def change(root: Path, file: str, /, **fields: Any) -> None:
    """Change fields of a record, by their names in the file."""
    path = root / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def rough_run(
    root: Path,
    mini: Mini,
    plays: Plays,
    luck: random.Random,
    *,
    turns: int = 8000,
    harm: Callable[[Path], None] | None = None,
) -> None:
    """Play a run on three workers, whose controller is killed and started again now and then.

    `harm` is done to the folder after each step. Then a checkpoint that was removed long ago can be
    asked for once: its worker says that it is gone.
    """
    folder = RunFolder(root) if harm is not None else None
    pool = PlayedPool(root, mini, 3, plays, luck=luck)
    controller = controller_for(root, pool, folder)
    for _ in range(turns):
        if controller.turn():
            return
        pool.step()
        if harm is not None:
            harm(root)
        if luck.random() < 0.05:
            if luck.random() < 0.5:
                pool.kill()
            controller = controller_for(root, pool, folder)
    assert turns < 8000, "the run is stuck"


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a record by dotted path."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping) and value:
            found |= {f"{key}/{inner}": deep for inner, deep in flat(value).items()}
        else:
            found[key] = value
    return found
