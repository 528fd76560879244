"""In asynchronous mode what anybody may still copy stays: nothing is trained twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from ledger_examples import attempts as attempts_at
from played_pool import Fails, Play, PlayedPool, controller_for

from autolfads_operator.controller.act import act
from autolfads_operator.controller.actions import GiveUp
from autolfads_operator.controller.ledger import Attempt
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.retention import forgettable
from autolfads_operator.controller.side_by_side import threads
from autolfads_operator.pbt import opponent
from autolfads_trainer.store import RunFolder


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def lost_at_first(member: int, generation: int, _attempt: int) -> Play:
    """Half of the members are lost in the first generation, and copy the best of all others."""
    return float("nan") if generation == 1 and member < 3 else 1 / generation + 0.01 * member


def steady(member: int, generation: int, _attempt: int) -> Play:
    return 1 / generation + 0.1 * ((member * 7 + generation) % 5)


@pytest.mark.parametrize("plays", [lost_at_first, steady])
@pytest.mark.parametrize("seed", range(2))
def test_nobody_waits_and_nothing_is_made_again(tmp_path: Path, plays: object, seed: int) -> None:
    mini = Mini(population=6, generations=12, mode="asynchronous", seed=seed)
    pool = PlayedPool(tmp_path, mini, 6, plays)  # type: ignore[arg-type]
    controller = controller_for(tmp_path, pool)
    chance = random.Random(seed)
    slow: set[str] = set()
    for turn in range(100_000):
        if controller.turn():
            break
        if turn % 40 == 0:  # now these are slow, now those
            slow = set(chance.sample(pool.lives(), min(3, len(pool.lives()))))
        pool.show_life(slow)
        pool.stuck = set(slow)
        pool.step()
    assert controller.ledger.end is not None
    made = sorted(tmp_path.glob("members/*/gen-*/attempt-*/outcome.json"))
    assert [path.parent.name for path in made] == ["attempt-1"] * 6 * 12


def halfway(root: Path) -> Controller:
    pool = PlayedPool(root, Mini(population=3, generations=9), 2)
    controller = controller_for(root, pool)
    while controller.ledger.generation < 6:
        controller.turn()
        pool.step()
    return controller


def test_what_somebody_is_at_work_on_is_not_forgotten(tmp_path: Path) -> None:
    ledger = halfway(tmp_path).ledger
    for leg in ledger.newest_legs():  # as if all were old
        ledger.add_order(leg.order.model_copy(update={"generation": 100, "parent": None}))
    old = next(leg for leg in forgettable(ledger) if leg.attempts)
    again = Attempt(old.attempts[0].task)
    old.attempts.append(again)
    assert old not in forgettable(ledger)
    again.outcome = old.attempts[0].outcome
    assert old in forgettable(ledger)


def test_an_attempt_that_another_controller_has_made_is_not_given_up(tmp_path: Path) -> None:
    controller = halfway(tmp_path)
    leg = next(leg for leg in controller.ledger.newest_legs() if not leg.attempts)
    place = controller.folder.leg_folder(*leg.place)
    ours = (
        controller.ledger.legs[0, 5]
        .attempts[0]
        .task.model_copy(
            update={
                "folder": f"{place}/attempt-1",
                "order": f"{place}/order.json",
                "worker": "ours",
            }
        )
    )
    folder = RunFolder(tmp_path)
    folder.give_task(ours.model_copy(update={"worker": "theirs"}))
    with threads(1) as pool:
        act(folder, controller.ledger, [GiveUp(ours, "cannot be made again")], pool)
    assert folder.outcome(ours.folder) is None


def test_one_that_was_lost_long_ago_finds_the_best_of_all_others(tmp_path: Path) -> None:
    """It is behind, its opponent was lost likewise: then it copies the best of that time."""
    rival = {"generation": 1, "member": 0, "population": 3}
    seed = next(seed for seed in range(99) if opponent(seed=seed, **rival) == 1)

    def lost_together(member: int, generation: int, _attempt: int) -> Play:
        return Fails() if generation == 1 and member < 2 else 0.5 - 0.01 * generation

    mini = Mini(population=3, generations=8, seed=seed, mode="asynchronous")
    pool = PlayedPool(tmp_path, mini, 3, lost_together)
    controller = controller_for(tmp_path, pool)
    for _ in range(600):
        attempts = controller.ledger.open_attempts()
        slow = {a.task.worker for a in attempts if "members/000/gen-001" in a.task.folder}
        ahead = controller.ledger.newest.get(2, 0) >= 7
        pool.stuck = set() if ahead else slow & set(pool.workers)
        if controller.turn():
            break
        pool.step()
    assert controller.ledger.end is not None
    assert attempts_at(tmp_path, 2, 1) == ["finished"]  # and is not made again
    assert (
        "members/002/gen-001" in (tmp_path / "members/000/gen-002/attempt-1/task.json").read_text()
    )
