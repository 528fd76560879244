"""An attempt that was not due, or started from what it should not, is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from played_pool import Dies, Fails, Leaves, Play, PlayedPool, controller_for, played
from replay_examples import change, told

from autolfads_trainer.store import RunFolder

LEG = "members/000/gen-002"


def fate(member: int, generation: int, attempt: int) -> Play:
    """Tell of a member whose workers save twice, and of one that is lost."""
    if (member, generation) == (1, 2):
        return Fails()
    if (member, generation) == (0, 2) and attempt < 4:
        return [Dies(1), Leaves(2), Fails("a passing error")][attempt - 1]
    return 0.5 - 0.01 * generation + member


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    with without_syncing():
        played(root, Mini(population=3, generations=3, interval=4), fate)
    assert told(root) == []
    return root


@pytest.fixture
def root(run: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the run, to be changed."""
    yield shutil.copytree(run, tmp_path / "run")


def add_attempt(root: Path, leg: str, number: int, **fields: object) -> str:
    """Copy attempt 1 at a leg to another number."""
    folder = f"{leg}/attempt-{number}"
    shutil.copytree(root / leg / "attempt-1", root / folder)
    change(root, f"{folder}/task.json", folder=folder, attempt=number, **fields)
    change(root, f"{folder}/outcome.json", checkpoint=None, epoch=None)
    return f"{folder}/task.json"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("startFrom", "members/002/gen-001/attempt-1/checkpoint-1.ckpt"),
        ("startFrom", None),
        ("startSha256", "0" * 64),
        ("startSha256", None),
        ("order", f"{LEG.replace('000', '001')}/order.json"),
        ("order", None),
        ("kind", "export"),
        ("folder", f"{LEG}/attempt-9"),
        ("attempt", 9),
    ],
)
def test_any_field_of_a_task(root: Path, number: int, name: str, value: object) -> None:
    file = f"{LEG}/attempt-{number}/task.json"
    change(root, file, **{name: value})
    (line,) = told(root)
    assert line.startswith(f"{file}: {name} is ")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_start_that_is_taken_for_another_kind(root: Path, number: int) -> None:
    file = f"{LEG}/attempt-{number}/task.json"
    resume = json.loads((root / file).read_text())["resume"]
    assert resume == (number > 1)
    change(root, file, resume=not resume)
    (line,) = told(root)
    assert line.startswith(f"{file}: resume is ")


def test_a_save_that_is_not_the_furthest(root: Path) -> None:
    save = json.loads((root / LEG / "attempt-1/outcome.json").read_text())
    file = f"{LEG}/attempt-3/task.json"
    change(root, file, startFrom=save["checkpoint"], startSha256=save["sha256"])
    assert {line.split(" is ")[0] for line in told(root)} == {
        f"{file}: startFrom",
        f"{file}: startSha256",
    }


def test_an_attempt_after_one_that_finished(root: Path) -> None:
    file = add_attempt(root, "members/002/gen-003", 2)
    why = "none: an attempt had finished, and no checkpoint that needs it was found damaged"
    assert told(root) == [f"{file}: was given; expected {why}"]


def test_an_attempt_after_all_are_used_up(root: Path) -> None:
    file = add_attempt(root, "members/001/gen-002", 4)
    assert told(root) == [f"{file}: was given; expected none: no attempt can follow the 3 before"]


def test_an_attempt_while_the_one_before_was_open(root: Path) -> None:
    (root / LEG / "attempt-2/outcome.json").unlink()
    since = "is missing; expected one, since attempt 3 was given"
    assert f"{LEG}/attempt-2/outcome.json: {since}" in told(root)


def test_an_attempt_without_its_task(root: Path) -> None:
    (root / LEG / "attempt-2/task.json").unlink()
    since = "is missing; expected one, since there is an outcome"
    assert f"{LEG}/attempt-2/task.json: {since}" in told(root)


def test_a_leg_without_an_end_in_a_run_that_went_on(root: Path) -> None:
    (root / "members/002/gen-002/attempt-1/outcome.json").unlink()
    assert told(root)[0] == (
        "members/002/gen-002: has no end; expected one, since generation 3 was given after it"
    )


def test_a_leg_without_an_end_in_a_run_that_is_over(root: Path) -> None:
    (root / "members/002/gen-003/attempt-1/outcome.json").unlink()
    assert told(root)[-1] == "end.json: is there; expected an end of each attempt first"


def test_an_outcome_of_other_epochs_or_files(root: Path) -> None:
    file = "members/002/gen-003/attempt-1/outcome.json"
    change(root, file, epoch=4)
    assert told(root) == [f"{file}: epoch is 4; expected 11"]
    change(root, file, epoch=11, checkpoint="members/002/gen-001/attempt-1/checkpoint-1.ckpt")
    assert any(line.startswith(f"{file}: checkpoint is ") for line in told(root))
    change(root, f"{LEG}/attempt-1/outcome.json", damaged="members/000/x.ckpt")
    assert any(f"{LEG}/attempt-1/outcome.json: damaged is" in line for line in told(root))


def test_a_member_given_up_without_need(root: Path) -> None:
    file = f"{LEG}/attempt-4/task.json"
    nothing = {"startFrom": None, "startSha256": None, "resume": False}
    change(root, file, worker="nobody", **nothing)
    (line,) = told(root)
    assert line.startswith(f"{file}: gives the member up; expected an attempt")


@pytest.mark.parametrize(
    ("name", "value"),
    [("best", [1, 1]), ("reached", [3, 3, 2]), ("startFrom", None), ("startSha256", "0" * 64)],
)
def test_an_export_of_something_else(root: Path, name: str, value: object) -> None:
    file = "export/attempt-1/task.json"
    change(root, file, **{name: value})
    (line,) = told(root)
    assert line.startswith(f"{file}: {name} is {json.dumps(value)}; expected ")


def test_an_export_that_is_missing(root: Path) -> None:
    shutil.rmtree(root / "export")
    assert told(root) == ["end.json: is there; expected export/attempt-1/outcome.json first"]


def test_an_export_before_training_was_over(tmp_path: Path) -> None:
    mini = Mini(population=2)
    pool = PlayedPool(tmp_path, mini)
    controller = controller_for(tmp_path, pool)
    while controller.ledger.generation < 2:
        controller.turn()
        pool.step()
    task = next(iter(RunFolder(tmp_path).attempts("prepare")))[0]
    early = task.model_copy(update={"kind": "export", "folder": "export/attempt-1"})
    RunFolder(tmp_path).give_task(early)
    assert any(line.startswith("export/attempt-1/task.json: was given") for line in told(tmp_path))
