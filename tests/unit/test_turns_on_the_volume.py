"""One run's turns on the shared volume, as the operator takes them, with played workers."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest
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


def in_training(turns: VolumeTurns, tmp_path: Path) -> PlayedPool:
    """Let a run be prepared."""
    played = PlayedPool(tmp_path / RUN.folder, Mini())
    played.want(1)
    deadline = time.monotonic() + 30
    while not (turns.seen and turns.seen.prepared) and time.monotonic() < deadline:
        turn(turns, played)
    assert turns.seen is not None
    assert turns.seen.prepared
    return played


def until(turns: VolumeTurns, happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not happens() and time.monotonic() < deadline:
        turns.next_at = 0.0
        turns.step(idle=False)
        time.sleep(0.01)
    assert happens()


@pytest.mark.parametrize("operator", ["the same", "another"])
def test_a_run_whose_folder_is_gone_is_not_trained_again(tmp_path: Path, operator: str) -> None:
    turns = begun(tmp_path)
    in_training(turns, tmp_path)
    folder = tmp_path / RUN.folder
    folder.rename(tmp_path / "elsewhere")
    if operator == "another":
        turns.end()
        status = {"seed": 7}
        run = dataclasses.replace(RUN, status=status)
        turns = VolumeTurns(run, dataclasses.replace(SETTINGS, root=tmp_path), lambda: None)
    until(turns, lambda: turns.held)
    assert turns.held is not None
    assert turns.held.finding.reason == "RunFolderBroken"
    assert f"{RUN.folder}: is gone from the volume" in turns.held.finding.message
    assert not folder.exists()
    # Brought back, it goes on.
    (tmp_path / "elsewhere").rename(folder)
    turns.try_again(RUN)
    until(turns, lambda: turns.seen and turns.held is None and not turns.trouble)
    turns.end()


def test_a_volume_that_is_not_mounted_is_waited_for(tmp_path: Path) -> None:
    turns = begun(tmp_path)
    in_training(turns, tmp_path)
    (tmp_path / "runs").rename(tmp_path / "unmounted")
    until(turns, lambda: "is it mounted?" in (turns.trouble or ""))
    assert turns.held is None
    assert not (tmp_path / "runs").exists()
    (tmp_path / "unmounted").rename(tmp_path / "runs")
    until(turns, lambda: turns.trouble is None)
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
