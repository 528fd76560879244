"""A turn costs the same however long the run has been going on: history is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from breaking_folder import READS, CountingFolder
from ledger_examples import Mini, without_syncing
from played_pool import PlayedPool, controller_for, played, to_the_end

from autolfads_operator.controller import loop
from autolfads_operator.controller.reading import read_ledger
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import Outcome, Owner, Task
from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def test_turns_read_as_much_in_generation_60_as_in_generation_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "ENOUGH", 60.0)  # on a busy machine turns would be broken off
    pool = PlayedPool(tmp_path, Mini(population=3, generations=61, burn_in=1, interval=1), 2)
    folder = CountingFolder(tmp_path)
    controller = controller_for(tmp_path, pool, folder)
    calls: dict[int, Counter[str]] = {5: Counter(), 60: Counter()}
    while not controller.turn():
        generation = controller.ledger.generation
        if generation in calls:
            calls[generation] += Counter(folder.calls)
        folder.calls.clear()
        pool.step()
    # Of what was decided long ago the scores alone are kept: 60 generations had 180 orders.
    assert len(controller.ledger.legs) < 7 * 3
    reads = {g: {name: n for name, n in c.items() if name in READS} for g, c in calls.items()}
    assert reads[5] == reads[60]
    assert set(reads[60]) == {"status", "outcome"}
    # So does everything else, removals included.
    assert calls[5] == calls[60]


def test_an_idle_turn_reads_one_small_file_per_worker_and_writes_nothing(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=6), 3)
    folder = CountingFolder(tmp_path)
    controller = controller_for(tmp_path, pool, folder)
    while len(controller.ledger.open_attempts()) < 3:
        controller.turn()
        pool.step()
    controller.turn()
    folder.calls.clear()
    controller.turn()
    assert folder.calls == ["status"] * 3


def test_an_outcome_is_opened_only_once_its_worker_has_announced_it(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), 2)
    folder = CountingFolder(tmp_path)
    to_the_end(controller_for(tmp_path, pool, folder), pool)
    assert folder.calls.count("outcome") == len(pool.begun)
    assert folder.calls.count("end") == folder.calls.count("run") == 1  # at the start


def test_a_run_that_is_over_removes_nothing_more(tmp_path: Path) -> None:
    played(tmp_path, Mini(population=2, generations=3))
    before = sorted(tmp_path.rglob("*.ckpt"))
    pool = PlayedPool(tmp_path, Mini(population=2, generations=3), 2)
    assert controller_for(tmp_path, pool).turn()
    assert sorted(tmp_path.rglob("*.ckpt")) == before


def test_more_records_than_a_run_makes_are_not_kept(tmp_path: Path) -> None:
    """A worker can write what it likes into its run's folder, and other runs share the process."""
    played(tmp_path, Mini(population=2, generations=3))
    owner = RunFolder(tmp_path).owner()
    assert owner is not None
    whole = read_ledger(RunFolder(tmp_path), owner)
    assert 0 < whole.held < 60_000
    leg = "members/000/gen-003"
    for attempt in range(2, 40):
        place = f"{leg}/attempt-{attempt}"
        made = Task(kind="train", folder=place, worker="w", attempt=attempt, start_from="x" * 9000)
        RunFolder(tmp_path).give_task(made)
    for place in (tmp_path / leg).glob("attempt-1/outcome.json"):
        place.unlink()
    (tmp_path / "end.json").unlink()
    with pytest.raises(StoreError, match=r"more than 0\.1 MB of orders, tasks and outcomes"):
        read_ledger(RunFolder(tmp_path), owner, most_held=100_000)


@pytest.mark.parametrize("kind", ["prepare", "export"])
def test_records_of_what_a_run_does_once_are_weighed_too(tmp_path: Path, kind: str) -> None:
    """Each value in them is an object: they take many times the room of their text."""
    folder, owner = RunFolder(tmp_path), Owner(name="a", spec={}, spec_hash="x")
    folder.claim(owner)
    large = Outcome(outcome="failed", result={str(number): 0 for number in range(30_000)})
    for attempt in range(1, 6):
        place = f"{kind}/attempt-{attempt}"
        folder.give_task(Task(kind=kind, folder=place, worker="w", attempt=attempt))
        (tmp_path / place / "outcome.json").write_text(large.model_dump_json())
    with pytest.raises(StoreError, match=r"more than 10 MB of orders, tasks and outcomes"):
        read_ledger(folder, owner, most_held=10_000_000)


def test_what_is_over_weighs_no_more(tmp_path: Path) -> None:
    played(tmp_path, Mini(population=2, generations=3))
    owner = RunFolder(tmp_path).owner()
    assert owner is not None
    ledger = read_ledger(RunFolder(tmp_path), owner)
    for place in list(ledger.legs):
        ledger.forget(place)
    assert ledger.held < 12_000  # of prepare and export
