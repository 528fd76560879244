"""A checkpoint that is cut, changed or gone is noticed, and what it held is made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_examples import TAKEN_AWAY, Mini, attempts, history, without_syncing
from played_pool import (
    MOST_TURNS,
    Dies,
    Fails,
    Play,
    PlayedPool,
    controller_for,
    played,
    to_the_end,
)
from replay_examples import change, told

from autolfads_operator.controller.attempts import MAX_FINISHED
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.reading import recall
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import Task
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def fate(member: int, generation: int, attempt: int) -> Play:
    return [0.5, 0.25, 0.4][(member + 2 * generation) % 3]


def improving(member: int, generation: int, _attempt: int) -> Play:
    return 1 / (generation + 0.1 * member)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def take_away(path: Path) -> None:
    path.unlink()
    TAKEN_AWAY.add(path)


HARM = [cut, flip, take_away]
MINI = Mini(population=3, generations=4, seed=3)


def outcomes(root: Path, member: int, generation: int) -> list[tuple[str, bool]]:
    """Return each attempt's outcome, and whether it found its start damaged."""
    folder = RunFolder(root)
    return [
        (outcome.outcome, outcome.damaged is not None)
        for _, outcome in folder.attempts(folder.leg_folder(member, generation))
        if outcome is not None
    ]


def until_generation(controller: Controller, pool: PlayedPool, generation: int) -> None:
    while controller.ledger.generation < generation:
        controller.turn()
        pool.step()


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("restarted", [False, True])
def test_the_end_of_a_generation_is_made_again(
    tmp_path: Path, harm: Callable[[Path], None], restarted: bool
) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI, fate)
    pool = PlayedPool(rough, MINI, 2, fate)
    controller = controller_for(rough, pool)
    until_generation(controller, pool, 3)
    for path in rough.glob("members/*/gen-002/attempt-1/checkpoint-1.ckpt"):
        harm(path)
    if restarted:
        pool.kill()
        controller = controller_for(rough, pool)
    to_the_end(controller, pool)
    assert history(rough) == history(calm)
    found = [outcome for member in range(3) for outcome in outcomes(rough, member, 3)]
    # A controller that starts looks into the folders, and knows of a missing one by itself.
    assert ("failed", True) in found or (restarted and harm is take_away)
    again = [member for member in range(3) if attempts(rough, member, 2).count("finished") == 2]
    assert again
    # Two that start from one winner do not make it again twice.
    assert all(attempts(rough, member, 2).count("finished") <= 2 for member in range(3))


@pytest.mark.parametrize("harm", HARM)
def test_of_a_damaged_save_the_one_before_is_used(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    def dying(member: int, generation: int, attempt: int) -> Play:
        if (member, generation) == (1, 2) and attempt < 3:
            return Dies(attempt)
        return fate(member, generation, attempt)

    mini = Mini(population=2, generations=3, seed=3, burn_in=4, interval=4)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, mini, dying)
    pool = PlayedPool(rough, mini, 2, dying)
    controller = controller_for(rough, pool)
    leg = RunFolder.leg_folder(1, 2)
    second = f"{leg}/attempt-2"
    while RunFolder(rough).outcome(second) is None:
        controller.turn()
        pool.step()
    pool.kill()  # before anybody has read it
    harm(rough / second / "checkpoint-1.ckpt")
    to_the_end(controller_for(rough, pool), pool)
    tasks = {task.attempt: task for task, _ in RunFolder(rough).attempts(leg)}
    damaged = [n for n, t in tasks.items() if t.start_from == f"{second}/checkpoint-1.ckpt"]
    assert damaged
    after = tasks[damaged[-1] + 1]
    assert (after.start_from, after.resume) == (f"{leg}/attempt-1/checkpoint-1.ckpt", True)
    assert history(rough) == history(calm)


@pytest.mark.parametrize("harm", HARM)
def test_the_best_is_made_again_for_the_results(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    def early(member: int, generation: int, _attempt: int) -> Play:
        return 0.1 if (member, generation) == (2, 2) else 0.5

    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI, early)
    pool = PlayedPool(rough, MINI, 2, early)
    controller = controller_for(rough, pool)
    until_generation(controller, pool, 4)
    harm(rough / "members/002/gen-002/attempt-1/checkpoint-1.ckpt")
    to_the_end(controller, pool)
    assert history(rough) == history(calm)
    assert attempts(rough, 2, 2) == ["finished", "finished"]


@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_all_checkpoints_damaged_at_once_are_made_again_from_the_beginning(
    tmp_path: Path, mode: str
) -> None:
    """What they were made from is long gone, and its orders are forgotten."""
    mini = replace(MINI, generations=7, mode=mode)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, mini, improving)
    pool = PlayedPool(rough, mini, 2, improving)
    controller = controller_for(rough, pool)
    until_generation(controller, pool, 6)
    assert (0, 1) not in controller.ledger.legs
    for path in rough.glob("members/*/gen-*/attempt-1/checkpoint-1.ckpt"):
        flip(path)
    to_the_end(controller, pool)
    assert any("finished" in attempts(rough, member, 1)[1:] for member in range(3))
    assert told(rough) == []
    if mode == "synchronous":
        assert history(rough) == history(calm)


def test_making_again_what_fails_is_given_up(tmp_path: Path) -> None:
    def plays(member: int, generation: int, attempt: int) -> Play:
        return Fails() if (generation, attempt > 1) == (2, True) else fate(member, generation, 1)

    pool = PlayedPool(tmp_path, MINI, 2, plays)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 3)
    for path in tmp_path.glob("members/*/gen-002/attempt-1/checkpoint-1.ckpt"):
        flip(path)
    end = to_the_end(controller, pool)
    assert end.state == "failed"
    assert "could not be made again" in end.reason


def test_an_end_that_is_damaged_as_often_as_it_is_made_is_given_up(tmp_path: Path) -> None:
    """A bad place on a disk, to which the same file comes again and again."""
    pool = PlayedPool(tmp_path, MINI, 2, fate)
    controller = controller_for(tmp_path, pool)
    harmed: set[Path] = set()
    for _ in range(MOST_TURNS):
        if controller.turn():
            break
        pool.step()
        for path in set(tmp_path.glob("members/000/gen-002/attempt-*/checkpoint-1.ckpt")) - harmed:
            flip(path)
            harmed.add(path)
    end = controller.ledger.end
    assert end is not None
    assert end.state == "succeeded"
    assert attempts(tmp_path, 0, 2).count("finished") == len(harmed) == MAX_FINISHED
    lost = [m for m in range(3) if "finished" not in attempts(tmp_path, m, 3)]
    assert lost
    assert set(lost) < {0, 1, 2}
    assert told(tmp_path) == []


def test_a_forgotten_order_that_was_changed_is_not_made_again(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, replace(MINI, generations=7), 2, improving)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 6)
    for path in tmp_path.glob("members/*/gen-001/order.json"):
        change(tmp_path, str(path.relative_to(tmp_path)), hyperparameters={"model.lr_init": 0.003})
    for path in tmp_path.glob("members/*/gen-*/attempt-1/checkpoint-1.ckpt"):
        flip(path)
    with pytest.raises(StoreError, match=r"gen-001/order\.json: was changed since it was given"):
        to_the_end(controller, pool)


def test_what_another_controller_makes_just_now_is_not_taken_for_removed(tmp_path: Path) -> None:
    """A leg is read again while an attempt at it is open: its checkpoint comes later."""
    pool = PlayedPool(tmp_path, replace(MINI, generations=7), 2, improving)
    controller = controller_for(tmp_path, pool)
    until_generation(controller, pool, 6)
    place = min({(m, 2) for m in range(3)} - set(controller.ledger.legs))
    folder = RunFolder.leg_folder(*place)
    again = Task(kind="train", folder=f"{folder}/attempt-2", worker="theirs", attempt=2)
    RunFolder(tmp_path).give_task(again)
    recall(controller.folder, controller.ledger, place)
    finished, opened = controller.ledger.legs[place].attempts
    assert finished.files == set()
    assert opened.files is None


def test_an_input_that_was_mended_long_ago_is_not_refused_again(tmp_path: Path) -> None:
    mini = Mini(population=2, generations=12)

    def plays(member: int, generation: int, attempt: int) -> Play:
        if (member, generation, attempt) == (0, 2, 1):
            return Fails("data.h5: no such file", input_error=True)
        return 0.5 - 0.01 * generation + 0.2 * member

    pool = PlayedPool(tmp_path, mini, 2, plays)
    controller = controller_for(tmp_path, pool)
    with pytest.raises(InputError, match=r"data\.h5"):
        to_the_end(controller, pool)
    pool = PlayedPool(tmp_path, mini, 2, plays)  # the user mended it, and gave the command again
    controller = controller_for(tmp_path, pool)
    while controller.ledger.generation < 9:
        controller.turn()
        pool.step()
    # Made again from further and further back, as far as the attempt that was refused.
    for path in tmp_path.glob("members/000/gen-00[78]/attempt-*/checkpoint*"):
        path.write_text("damaged")
    assert to_the_end(controller, pool).state == "succeeded"
