"""One run's turns on the shared volume, as the operator takes them, with played workers."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from cluster_examples import SETTINGS, run_object
from ledger_examples import Mini
from played_pool import Fails, PlayedPool, always

from autolfads_operator.cluster.volume_turns import VolumeTurns

RUN = run_object()


def begun(volume: Path) -> VolumeTurns:
    """Let the operator claim the run's folder: before that there is no worker."""
    turns = VolumeTurns(RUN, dataclasses.replace(SETTINGS, root=volume), lambda: None)
    while turns.seen is None:
        turns.step(idle=False)
    return turns


def turn(turns: VolumeTurns, played: PlayedPool, prepares: bool = True) -> None:
    """Let the operator and the workers go on."""
    lives = tuple(played.workers)
    pool = turns.side.pool
    pool.preparing, pool.training = (lives, ()) if prepares else ((), lives)
    turns.step(idle=False)
    played.step()
    time.sleep(0.005)


def until_told(turns: VolumeTurns, played: PlayedPool) -> None:
    deadline = time.monotonic() + 30
    while turns.held is None and turns.trouble is None and time.monotonic() < deadline:
        turn(turns, played)


def test_a_run_that_cannot_go_on_waits_for_its_user(tmp_path: Path) -> None:
    turns = begun(tmp_path)
    played = PlayedPool(tmp_path / RUN.folder, Mini(), prepare=always(Fails("no luck")))
    played.want(1)
    until_told(turns, played)
    assert turns.held is not None
    assert turns.held.finding.reason == "Stopped"
    assert "could not be prepared" in turns.held.finding.message
    turns.end()


def test_input_that_is_refused_is_told_as_the_user_knows_it(tmp_path: Path) -> None:
    turns = begun(tmp_path)
    words = "/autolfads/data/lorenz.h5: no such data file"
    prepare = always(Fails(words, input_error=True))
    played = PlayedPool(tmp_path / RUN.folder, Mini(), prepare=prepare)
    played.want(1)
    until_told(turns, played)
    assert turns.held is not None
    assert turns.held.finding.reason == "InputRefused"
    said = turns.held.finding.message
    assert said.startswith("spec.data.path: data/lorenz.h5: no such data file")
    assert "/autolfads/" not in said
    turns.end()


def test_nothing_is_written_where_a_worker_has_put_a_link(tmp_path: Path) -> None:
    turns = begun(tmp_path)
    folder = tmp_path / RUN.folder
    played = PlayedPool(folder, Mini())
    played.want(1)
    played.step()  # it says that it is there, and waits for a task
    elsewhere = tmp_path / "data"
    (folder / "workers").rename(elsewhere)
    (folder / "workers").symlink_to(elsewhere)
    before = sorted(path.name for path in elsewhere.iterdir())
    played.stuck |= set(played.workers)
    for _ in range(400):
        turn(turns, played)
    assert sorted(path.name for path in elsewhere.iterdir()) == before
    turns.end()
