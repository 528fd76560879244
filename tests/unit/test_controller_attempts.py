"""How often is tried again, from where, and when that is given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, attempts, history, orders, without_syncing
from played_pool import Dies, Fails, Leaves, Play, PlayedPool, controller_for, played, to_the_end

from autolfads_operator.controller.attempts import last_reason, progress, saves, used_up
from autolfads_operator.errors import RunStopped
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import Outcome
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def an_attempt(number: int, word: str) -> Outcome | None:
    """Read `failed`, `input`, `open`, `finished`, or `saved`, `abandoned` with `@epoch.steps`.

    `damaged` has found its start damaged, and after `final` nothing can help. `stranger` was
    abandoned by a controller that does not know its worker.
    """
    name, _, reached = word.partition("@")
    if name == "open":
        return None
    if name == "input":
        return Outcome(outcome="failed", input_error=True, reason="mend it")
    if name == "damaged":
        return Outcome(outcome="failed", damaged="leg/attempt-1/checkpoint-1.ckpt", reason="bits")
    if name == "final":
        return Outcome(outcome="failed", final=True, reason="no way")
    epoch, _, steps = reached.partition(".")
    return Outcome.model_validate(
        {
            "outcome": "abandoned" if name == "stranger" else name,
            "stranger": name == "stranger",
            "reason": None if name == "finished" else f"reason {number}",
            "epoch": int(epoch) if epoch else None,
            "steps": int(steps or 0),
            "checkpoint": f"leg/attempt-{number}/checkpoint-1.ckpt" if reached else None,
        }
    )


def of(*words: str) -> list[Outcome | None]:
    return [an_attempt(number, word) for number, word in enumerate(words, 1)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], False),
        (["failed"] * 2, False),
        (["failed"] * 3, True),
        (["failed", "saved@1", "failed", "abandoned", "failed"], True),
        (["input"] * 20, False),
        (["saved@1"] * 50, False),
        (["saved"] * 50, False),
        (["abandoned"] * 9, False),
        (["abandoned"] * 10, True),
        (["abandoned"] * 9 + ["open"], False),
        (["abandoned"] * 9 + ["abandoned@1"], False),
        ([f"abandoned@{epoch}" for epoch in range(1, 40)], False),
        ([f"abandoned@1.{steps}" for steps in range(1, 40)], False),  # within an epoch
        (["abandoned@3"] + ["abandoned@3"] * 10, True),  # nothing that was not saved before
        (["abandoned@3"] + ["abandoned@2"] * 9, False),
        (["abandoned@3"] + ["abandoned@2"] * 10, True),
        (["saved@3"] + ["abandoned@3"] * 10, True),
        (["abandoned"] * 9 + ["saved"] + ["abandoned"] * 9, False),  # not in a row
        (["abandoned"] * 9 + ["input"] + ["abandoned"] * 9, False),
        (["finished"] * 3, False),  # its end was damaged, and made again
        (["finished", "damaged", "finished", "saved@1", "finished"], False),
        (["finished"] * 3 + ["open"], False),
        (["finished"] * 4, True),
        (["failed"] * 2 + ["damaged"] * 50, False),  # it is made again, or given up
        (["failed"] * 2 + ["damaged"] * 2 + ["failed"], True),
        (["abandoned"] * 5 + ["damaged"] + ["abandoned"] * 5, True),
        (["final"], True),
        (["stranger"] * 50, False),
        (["stranger@3"] * 50, False),
        (["abandoned"] * 9 + ["stranger"] * 9, False),
        (["abandoned"] * 5 + ["stranger"] + ["abandoned"] * 5, True),
        (["abandoned"] * 9 + ["stranger@1"] + ["abandoned"] * 9, False),  # something new saved
    ],
)
def test_attempts_are_used_up_by_failures_and_by_losses_without_progress(
    words: list[str], expected: bool
) -> None:
    assert used_up(of(*words)) is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["abandoned", "failed", "open"], None),
        (["saved@2"], 1),
        (["saved@2", "abandoned@5", "saved@3"], 2),
        (["saved@2.7", "abandoned@2.10"], 2),
        (["saved@10", "abandoned@9.99"], 1),
        (["abandoned@4", "failed@9", "open"], 1),  # what failed may be what is wrong
    ],
)
def test_the_next_attempt_goes_on_from_the_newest_save(
    words: list[str], expected: int | None
) -> None:
    found = [save.checkpoint for save in saves(of(*words), damaged=())]
    assert found[:1] == ([f"leg/attempt-{expected}/checkpoint-1.ckpt"] if expected else [])


def test_a_save_that_is_damaged_is_passed_over_for_the_one_before() -> None:
    outcomes = of("saved@2", "abandoned@5", "saved@3")
    damaged = {"leg/attempt-2/checkpoint-1.ckpt"}
    assert [save.epoch for save in saves(outcomes, damaged)] == [3, 2]


def test_progress_without_a_checkpoint_is_none() -> None:
    assert progress(Outcome(outcome="abandoned", epoch=7, steps=3)) == (0, 0)
    assert progress(Outcome(outcome="saved", epoch=7, steps=3, checkpoint="x")) == (7, 3)


def test_the_reason_that_is_told_is_the_newest() -> None:
    assert last_reason(of("failed", "abandoned", "saved@1", "open")) == "reason 2"
    assert last_reason(of("open")) is None


LONE = Mini(population=1, generations=1)


def test_three_failures_lose_a_member(tmp_path: Path) -> None:
    end = played(tmp_path, LONE, lambda *_: Fails("ValueError: so be it"))
    assert (end.state, end.reason) == ("failed", "generation 1: ValueError: so be it")
    assert attempts(tmp_path, 0, 1) == ["failed"] * 3


def test_the_third_attempt_may_still_succeed(tmp_path: Path) -> None:
    end = played(tmp_path, LONE, lambda _, __, attempt: Fails() if attempt < 3 else 0.5)
    assert end.state == "succeeded"
    assert attempts(tmp_path, 0, 1) == ["failed", "failed", "finished"]


@pytest.mark.parametrize(
    ("play", "most"), [(Dies(), 10), (Dies(0), 10), (Dies(2), 11)], ids=["none", "start", "once"]
)
def test_ten_lost_workers_in_a_row_that_saved_nothing_new_lose_a_member(
    tmp_path: Path, play: Dies, most: int
) -> None:
    end = played(tmp_path, LONE, lambda *_: play)
    assert (end.state, end.reason) == ("failed", "generation 1: its worker is gone")
    assert attempts(tmp_path, 0, 1) == ["abandoned"] * most


def test_lost_workers_that_saved_something_new_never_lose_a_member(tmp_path: Path) -> None:
    mini = Mini(population=1, generations=1, burn_in=30)
    end = played(tmp_path, mini, lambda _, __, a: Dies(a) if a < 25 else 0.5)
    assert end.state == "succeeded"
    assert attempts(tmp_path, 0, 1) == ["abandoned"] * 24 + ["finished"]


def test_leaving_early_never_loses_a_member(tmp_path: Path) -> None:
    end = played(tmp_path, LONE, lambda _, __, attempt: Leaves(1) if attempt < 25 else 0.5)
    assert end.state == "succeeded"
    assert attempts(tmp_path, 0, 1) == ["saved"] * 24 + ["finished"]


def test_a_lost_member_does_not_take_workers_from_the_others(tmp_path: Path) -> None:
    mini = Mini(population=4, generations=2)
    pool = PlayedPool(tmp_path, mini, 2, lambda member, *_: Fails() if member == 0 else 0.5)
    to_the_end(controller_for(tmp_path, pool), pool)
    assert attempts(tmp_path, 0, 1) == attempts(tmp_path, 0, 2) == ["failed"] * 3
    assert all(attempts(tmp_path, member, 2) == ["finished"] for member in (1, 2, 3))


def test_input_that_must_be_mended_stops_training_without_an_end_and_goes_on_later(
    tmp_path: Path,
) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, Mini())
    broken = Fails("data.h5: was changed since this run began", input_error=True)

    def plays(member: int, generation: int, attempt: int) -> Play:
        return broken if (member, generation) == (1, 2) and attempt <= 5 else 0.5

    pool = PlayedPool(rough, Mini(), 2, plays)
    for _ in range(5):
        with pytest.raises(InputError, match=r"data\.h5: was changed since"):
            to_the_end(controller_for(rough, pool), pool)
        assert RunFolder(rough).end() is None
        pool.kill()
    assert to_the_end(controller_for(rough, pool), pool).state == "succeeded"
    assert attempts(rough, 1, 2) == ["failed"] * 5 + ["finished"]
    assert history(rough) == history(calm)


def test_input_that_cannot_be_used_is_told_before_anything_is_frozen(tmp_path: Path) -> None:
    broken = Fails("lorenz.h5: no such file", input_error=True)
    pool = PlayedPool(tmp_path, LONE, 1, prepare=lambda n: broken if n <= 4 else 0.0)
    for _ in range(4):
        with pytest.raises(InputError, match=r"lorenz\.h5: no such file"):
            to_the_end(controller_for(tmp_path, pool), pool)
        assert RunFolder(tmp_path).run() is None
        assert orders(tmp_path) == []
    assert to_the_end(controller_for(tmp_path, pool), pool).state == "succeeded"


def test_one_worker_is_enough_to_prepare_and_to_export(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=6), 8)
    controller = controller_for(tmp_path, pool)
    wanted: dict[str, set[int]] = {}
    while not controller.turn():
        ledger = controller.ledger
        stage = "prepare" if not ledger.run else "export" if ledger.export else "train"
        pool.step()
        controller.pool.want(controller._wanted())
        wanted.setdefault(stage, set()).add(pool.wanted)
    assert wanted == {"prepare": {1}, "train": {6}, "export": {1}}


Part = Callable[[int], Play]


def in_part(part: str, plays: Part) -> dict[str, Part]:
    return {part: plays}


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("prepare", "the data could not be prepared: OSError: disk full"),
        ("export", "the results could not be written in 3 attempts: OSError: disk full"),
    ],
)
@pytest.mark.parametrize(
    ("play", "most"), [(Fails("OSError: disk full"), 3), (Dies(), 10)], ids=["fails", "dies"]
)
def test_preparing_and_exporting_stop_when_used_up_and_are_tried_again_at_a_new_start(
    tmp_path: Path, part: str, words: str, play: Play, most: int
) -> None:
    def plays(attempt: int) -> Play:
        return play if attempt <= 2 * most + 1 else 0.0

    pool = PlayedPool(tmp_path, Mini(generations=2), 2, **in_part(part, plays))
    for start in (1, 2):
        controller = controller_for(tmp_path, pool)
        with pytest.raises(RunStopped) as stopped:
            to_the_end(controller, pool)
        assert (words in str(stopped.value)) is isinstance(play, Fails)
        assert len(list(RunFolder(tmp_path).attempts(part))) == start * most
        with pytest.raises(RunStopped):  # as long as nobody has mended anything
            controller.turn()
        assert RunFolder(tmp_path).end() is None
    assert to_the_end(controller_for(tmp_path, pool), pool).state == "succeeded"
    assert len(list(RunFolder(tmp_path).attempts(part))) == 2 * most + 2


@pytest.mark.parametrize("part", ["prepare", "export"])
def test_preparing_and_exporting_survive_workers_that_leave(tmp_path: Path, part: str) -> None:
    def plays(attempt: int) -> Play:
        return Leaves() if attempt <= 12 else 0.0

    pool = PlayedPool(tmp_path, Mini(generations=2), 2, **in_part(part, plays))
    assert to_the_end(controller_for(tmp_path, pool), pool).state == "succeeded"
    assert len(list(RunFolder(tmp_path).attempts(part))) == 13


def test_failed_training_is_not_held_against_a_run_that_starts_again(tmp_path: Path) -> None:
    """Training failures decide: three of them lose the member, however often the run starts."""

    def plays(member: int, generation: int, attempt: int) -> Play:
        return Fails() if (member, generation) == (0, 1) and attempt < 9 else 0.5

    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, Mini(), plays)
    pool = PlayedPool(rough, Mini(), 2, plays)
    controller = controller_for(rough, pool)
    while not controller.turn():
        pool.step()
        controller = controller_for(rough, pool)
    assert attempts(rough, 0, 1) == ["failed"] * 3
    assert history(rough) == history(calm)


def test_an_outcome_that_names_anothers_checkpoint_is_told_with_its_file(tmp_path: Path) -> None:
    """A worker can spoil its own run, and that is told: it cannot make a task name any file."""
    pool = PlayedPool(tmp_path, LONE, 1)
    controller = controller_for(tmp_path, pool)
    while not controller.ledger.legs or not controller.ledger.open_attempts():
        controller.turn()
        pool.step()
    task = controller.ledger.open_attempts()[0].task
    for name in ("../../../etc/passwd", "/etc/passwd", "members/000/gen-001/attempt-7/x.ckpt"):
        outcome = Outcome(outcome="finished", checkpoint=name, score=0.1)
        with pytest.raises(StoreError, match=f"{task.folder}/outcome.json: names the checkpoint"):
            controller.ledger.settle(controller.ledger.open_attempts()[0], outcome)
