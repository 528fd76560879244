"""Checkpoints: none is removed that a task can still name, and their number stays bounded."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import OWNER, Mini, WatchedFolder, finished_attempt, without_syncing
from played_pool import Dies, Play, PlayedPool, controller_for, played, to_the_end
from random_runs import SCORES, Fate, Trouble, fates, minis, seeds

from autolfads_operator.controller import loop, tidy
from autolfads_operator.controller.reading import read_ledger
from autolfads_operator.controller.retention import needed


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def checkpoints(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.glob("members/*/*/*/*.ckpt")}


def of_place(place: tuple[int, int], root: Path) -> str:
    task = finished_attempt(WatchedFolder(root), *place)
    assert task is not None
    return f"{task.folder}/checkpoint-1.ckpt"


@settings(deadline=None, max_examples=6)
@given(
    population=st.integers(1, 5),
    fate=fates.filter(lambda fate: fate.losses < 0.5),
    most=st.integers(1, 4),
    luck=seeds,
)
def test_disk_use_is_bounded_over_thirty_generations(
    population: int, fate: Fate, most: int, luck: int
) -> None:
    # Each task's start is looked for when it is given (WatchedFolder) and read when it is begun.
    mini = Mini(population=population, generations=30, burn_in=1, interval=1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pool = PlayedPool(root, mini, most, fate, luck=random.Random(luck))
        controller = controller_for(root, pool)
        there: set[str] = set()
        while not controller.turn():
            pool.step()
            there = {name for name in there | pool.saves if (root / name).exists()}
            pool.saves.clear()
            assert len(there) <= 2 * population + 2 + most
        assert checkpoints(root) <= there
        end = controller.ledger.end
        assert end is not None
        if end.best is not None:
            assert of_place(end.best, root) in checkpoints(root)
            exported = json.loads((root / "results/best.json").read_text())
            assert exported["place"] == list(end.best)


@settings(deadline=None, max_examples=7)
@given(mini=minis(), fate=fates, luck=seeds)
def test_starts_are_there_whatever_happens_to_workers_and_controllers(
    mini: Mini, fate: Fate, luck: int
) -> None:
    chance = random.Random(luck)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pool = PlayedPool(root, mini, 3, Trouble(fate, luck), luck=chance)
        controller = controller_for(root, pool)
        while not controller.turn():
            pool.step()
            if chance.random() < 0.1:
                controller = controller_for(root, pool)
        assert controller.ledger.end is not None


def test_saves_of_attempts_that_did_not_finish_are_removed(tmp_path: Path) -> None:
    def plays(_member: int, generation: int, attempt: int) -> Play:
        return Dies(attempt) if generation < 3 and attempt < 3 else SCORES[generation]

    mini = Mini(population=2, generations=4, burn_in=4, interval=4)
    played(tmp_path, mini, plays)
    # The best (first of equals), and what the last two generations start from and end with.
    assert checkpoints(tmp_path) <= {
        f"members/{member:03d}/gen-{generation:03d}/attempt-{attempt}/checkpoint-1.ckpt"
        for member in (0, 1)
        for generation, attempt in ((1, 3), (2, 3), (3, 1), (4, 1))
    }
    assert len(checkpoints(tmp_path)) <= 5


def test_the_best_stays_however_long_ago_it_was(tmp_path: Path) -> None:
    mini = Mini(population=3, generations=12)
    end = played(tmp_path, mini, lambda m, g, _: 0.1 if (m, g) == (2, 2) else 0.5 + g + m)
    assert end.best == (2, 2)
    assert "members/002/gen-002/attempt-1/checkpoint-1.ckpt" in checkpoints(tmp_path)
    generations = {name.split("/")[2] for name in checkpoints(tmp_path)}
    assert generations <= {"gen-001", "gen-002", "gen-011", "gen-012"}


def test_parents_stay_while_the_orders_of_a_generation_are_not_all_given(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(generations=2), 2, lambda member, *_: float(member))
    controller = controller_for(tmp_path, pool)
    while controller.ledger.generation < 2:
        pool.step()
        controller.turn()
    for member in (1, 2, 3):  # as if the controller had died after the first order
        (tmp_path / f"members/{member:03d}/gen-002/order.json").unlink()
        for path in (tmp_path / f"members/{member:03d}/gen-002").glob("attempt-*/task.json"):
            path.unlink()
    ledger = read_ledger(WatchedFolder(tmp_path), OWNER)
    assert len(ledger.legs_of(2)) == 1
    assert needed(ledger) >= checkpoints(tmp_path)


def test_a_new_controller_goes_on_removing_where_the_last_one_stopped(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=3, generations=6), 2)
    controller = controller_for(tmp_path, pool)
    kept: dict[str, bytes] = {}
    while controller.ledger.generation < 5:
        kept |= {name: (tmp_path / name).read_bytes() for name in checkpoints(tmp_path)}
        controller.turn()
        pool.step()
    for name, content in kept.items():  # as if nothing had ever been removed
        (tmp_path / name).write_bytes(content)
    assert len(checkpoints(tmp_path)) > 2 * 3 + 3
    to_the_end(controller_for(tmp_path, pool), pool)
    assert len(checkpoints(tmp_path)) <= 2 * 3 + 2


def test_the_last_turn_tidies_up_although_its_time_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini = Mini(population=3, generations=3)
    played(tmp_path / "calm", mini)
    monkeypatch.setattr(loop, "ENOUGH", 0.0)  # no turn has any for what is not needed at once
    monkeypatch.setattr(tidy, "AT_LEAST", 0.0)
    played(tmp_path / "slow", mini)
    left = checkpoints(tmp_path / "slow")
    assert left == checkpoints(tmp_path / "calm")
    assert len(left) < 9


def test_turns_that_have_always_something_to_do_tidy_up_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "ENOUGH", 0.0)
    mini = Mini(population=24, generations=14, burn_in=1, interval=1)
    pool = PlayedPool(tmp_path, mini, 24)
    controller = controller_for(tmp_path, pool)
    most = 0
    while not controller.turn():
        pool.step()
        most = max(most, len(checkpoints(tmp_path)))
    assert most <= 8 * mini.population + 4
