"""Processes that train several members at once: each lane is a worker to the controller."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledger_examples import Mini
from played_pool import Dies, PlayedPool, always, controller_for, played, to_the_end

from autolfads_operator.controller.lanes import Lanes
from autolfads_operator.controller.loop import Controller
from autolfads_operator.view.picture import picture_of
from autolfads_trainer.lanes import lane_of, leads, number_of, process_of, share_of
from autolfads_trainer.records import WorkerStatus


def until_training(controller: Controller, pool: PlayedPool, tasks: int) -> list[str]:
    """Turn until so many tasks are open, and return their workers."""
    for _ in range(200):
        assert not controller.turn()
        found = [
            attempt.task.worker
            for attempt in controller.ledger.open_attempts()
            if attempt.task.kind == "train"
        ]
        if len(found) >= tasks:
            return found
        pool.step()
    raise AssertionError(f"never {tasks} at once")


def outcomes(root: Path) -> list[str]:
    paths = root.glob("members/*/gen-*/attempt-*/outcome.json")
    return [json.loads(path.read_text())["outcome"] for path in paths]


def test_lanes_have_names_of_their_own() -> None:
    names = [lane_of("worker-1", number) for number in range(3)]
    assert names == ["worker-1", "worker-1-lane1", "worker-1-lane2"]
    assert [process_of(name) for name in names] == ["worker-1"] * 3
    assert [number_of(name) for name in names] == [0, 1, 2]
    assert [leads(name) for name in names] == [True, False, False]
    for other in ("worker-lane", "worker-lane0", "lane1-worker", "a-lane01"):
        assert process_of(other) == other
        assert number_of(other) == 0


@pytest.mark.parametrize(
    ("population", "workers", "expected"),
    [(16, 8, 2), (16, 1, 16), (17, 8, 3), (3, 8, 1), (100, 1, 32)],
)
def test_members_are_shared_evenly(population: int, workers: int, expected: int) -> None:
    assert share_of(population, workers) == expected


def test_one_process_trains_the_whole_population_at_once(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=4), most=1, lanes=4)
    workers = until_training(controller_for(tmp_path, pool), pool, tasks=4)
    assert len({process_of(worker) for worker in workers}) == 1
    assert sorted(map(number_of, workers)) == [0, 1, 2, 3]


def test_a_few_members_are_spread_over_all_processes(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=4), most=4, lanes=3)
    controller = controller_for(tmp_path, pool)
    while len(pool.lives()) < 4:
        controller.turn()
        pool.step()
    # All are there and have told of their lanes before the first generation is given out.
    workers = until_training(controller, pool, tasks=4)
    assert len({process_of(worker) for worker in workers}) > 1


def test_a_run_in_lanes_is_the_run_of_single_workers(tmp_path: Path) -> None:
    mini = Mini(population=5)
    lanes, single = tmp_path / "lanes", tmp_path / "single"
    pool = PlayedPool(lanes, mini, most=2, lanes=3)
    end = to_the_end(controller_for(lanes, pool), pool)
    assert end == played(single, mini)

    def orders(root: Path) -> dict[str, str]:
        found = root.glob("members/*/gen-*/order.json")
        return {str(path.relative_to(root)): path.read_text() for path in found}

    assert orders(lanes) == orders(single)


def test_a_controller_that_comes_later_knows_who_is_at_work(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=4), most=1, lanes=4)
    until_training(controller_for(tmp_path, pool), pool, tasks=4)
    later = controller_for(tmp_path, pool)
    assert not later.turn()
    assert len(later.ledger.open_attempts()) == 4
    assert to_the_end(later, pool).state == "succeeded"
    assert set(outcomes(tmp_path)) == {"finished"}


def test_a_process_that_dies_takes_its_lanes_with_it_and_nothing_more(tmp_path: Path) -> None:
    def first_time(member: int, generation: int, attempt: int) -> float | Dies:
        dies = (member, generation, attempt) == (2, 2, 1)
        return Dies(saved=None) if dies else float(member)

    pool = PlayedPool(tmp_path, Mini(population=6), most=2, plays=first_time, lanes=3)
    assert to_the_end(controller_for(tmp_path, pool), pool).state == "succeeded"
    assert 1 <= outcomes(tmp_path).count("abandoned") <= 3
    assert len(pool.ours) == 3


def test_one_lane_that_is_silent_ends_its_process(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=4), most=2, lanes=2)
    lanes = Lanes(pool)
    pool.want(2)
    first, second = pool.lives()
    lanes.note({first: WorkerStatus(counter=1, doing="idle", lanes=2)}, [lane_of(second, 1)])
    assert lanes.lives() == [first, second, lane_of(first, 1), lane_of(second, 1)]
    pool.told_to_leave = {second}
    assert lanes.leaving() == [second, lane_of(second, 1)]
    assert lanes.vouches_for(lane_of(first, 1))
    assert not lanes.vouches_for("stranger-lane1")
    lanes.drop(lane_of(first, 1))
    assert lanes.lives() == [second, lane_of(second, 1)]


def test_nothing_is_left_of_lanes_that_are_over(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=4), most=1, lanes=4)
    controller = controller_for(tmp_path, pool)
    (gone, *_) = until_training(controller, pool, tasks=4)
    pool.kill()
    to_the_end(controller, pool)
    left = {path.name.split(".")[0] for path in (tmp_path / "workers").iterdir()}
    assert process_of(gone) not in {process_of(life) for life in left}


def test_views_count_processes(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=4), most=2, lanes=2, plays=always(0.5))
    controller = controller_for(tmp_path, pool)
    until_training(controller, pool, tasks=4)
    controller.turn()
    assert len(controller.statuses) == 4
    assert picture_of(controller.ledger, controller.statuses).workers == 2
