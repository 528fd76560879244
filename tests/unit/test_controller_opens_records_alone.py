"""The controller's process opens JSON of limited size, and nothing else that a worker wrote."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from played_pool import Dies, Leaves, Play, PlayedPool, controller_for

LISTENING: list[set[str]] = []  # empty: nobody listens


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and LISTENING and isinstance(arguments[0], str | bytes | Path):
        LISTENING[0].add(os.fsdecode(arguments[0]))


sys.addaudithook(_listen)  # for good: there is no way to remove one


@pytest.fixture(autouse=True)
def _listen_below_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hear of names in open folders, too: an audit hook is not told of which folder."""
    real = os.open

    def told(name: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        opened = real(name, flags, mode, dir_fd=dir_fd)
        if LISTENING and dir_fd is not None:
            LISTENING[0].add(os.fspath(Path(f"/proc/self/fd/{opened}").readlink()))
        return opened

    monkeypatch.setattr(os, "open", told)


def plays(member: int, generation: int, attempt: int) -> Play:
    if attempt == 1 and generation == 2:
        return Dies(1) if member else Leaves(1)
    return 0.3 + 0.1 * ((member + generation) % 3)


def test_the_controller_opens_records_and_folders_alone(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(generations=3), 2, plays)
    found: set[str] = set()
    with without_syncing():
        controller = controller_for(tmp_path, pool)
        over = False
        while not over:
            LISTENING.append(found)
            over = controller.turn()
            LISTENING.clear()
            pool.step()
    inside = {Path(name) for name in found if name.startswith(str(tmp_path))}
    files = {path for path in inside if not path.is_dir()}
    # What is gone by now was a temporary file, made and named in one breath.
    assert {path.suffix for path in files} <= {".json", ".tmp"}
    assert any(path.name == "outcome.json" for path in files)
    assert not any(path.name.endswith((".ckpt", ".csv", ".h5")) for path in inside)
