"""`autolfads replay` and `autolfads history`: what they print, and their exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from played_pool import played
from replay_examples import change


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("run")
    with without_syncing():
        played(root, Mini(population=2, generations=3), lambda member, *_: 0.5 + member)
    return root


def autolfads(*words: object) -> tuple[int, str, str]:
    """Return the exit code, and what was printed to both streams."""
    command = [sys.executable, "-m", "autolfads_operator.cli", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_a_run_that_is_as_it_should_be(run: Path) -> None:
    line = "6 orders of 3 generations checked: all are what they should be\n"
    assert autolfads("replay", run) == (0, line, "")
    code, printed, _ = autolfads("replay", run, "--json")
    report = json.loads(printed)
    assert (code, report["orders"], report["findings"], report["over"]) == (0, 6, [], True)


def test_findings_are_one_line_each_and_exit_with_1(run: Path, tmp_path: Path) -> None:
    root = shutil.copytree(run, tmp_path / "run")
    change(root, "end.json", score=0.1, reason="no reason")
    code, printed, errors = autolfads("replay", root)
    assert (code, errors) == (1, "")
    assert printed.splitlines() == [
        'end.json: reason is "no reason"; expected "all epochs done"',
        "end.json: score is 0.1; expected 0.5",
    ]
    code, printed, _ = autolfads("replay", root, "--json")
    assert code == 1
    assert json.loads(printed)["findings"][1] == {
        "file": "end.json",
        "what": "score",
        "found": "0.1",
        "expected": "0.5",
    }


@pytest.mark.parametrize("command", ["replay", "history", "status"])
def test_folders_that_are_no_runs(command: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").touch()
    code, _, errors = autolfads(command, tmp_path / "run.yaml")
    assert (code, "run.yaml: is a file; expected a run's folder" in errors) == (2, True)
    code, _, errors = autolfads(command, tmp_path)
    assert (code, "is not a run's folder" in errors) == (2, True)
    code, _, errors = autolfads(command, tmp_path / "none")
    assert (code, "no such folder" in errors) == (2, True)


@pytest.mark.parametrize("command", ["replay", "history"])
def test_a_record_that_cannot_be_read_is_named(command: str, run: Path, tmp_path: Path) -> None:
    root = shutil.copytree(run, tmp_path / "run")
    (root / "members/001/gen-002/order.json").write_text("{")
    code, _, errors = autolfads(command, root)
    assert code == 1
    assert errors.startswith(f"autolfads: {root}/members/001/gen-002/order.json: ")


def test_history_as_json(run: Path) -> None:
    code, printed, _ = autolfads("history", run, "--json", "--generation", "2", "--member", "1")
    story = json.loads(printed)
    assert (code, story["version"], story["seed"]) == (0, 1, 7)
    ((part,),) = [chapter["parts"] for chapter in story["generations"]]
    assert (part["member"], part["copied"], part["parent"]) == (1, True, [0, 1])
    assert list(part["moved"]) == ["model.lr_init"]


def test_history_in_words(run: Path) -> None:
    code, printed, _ = autolfads("history", run)
    assert code == 0
    assert printed.splitlines()[0].startswith("mini: 2 members, seed 7, synchronous; at most ")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [("--generation", 4, "has 3 generations"), ("--member", 2, "has 2 members, from 0 on")],
)
def test_history_of_what_there_is_not(run: Path, option: str, value: int, reason: str) -> None:
    code, _, errors = autolfads("history", run, option, value)
    assert (code, reason in errors) == (2, True)


@pytest.mark.parametrize("name", ["maxEpochs", "generationEpochs", "patience"])
def test_settings_that_no_run_can_have_are_one_sentence(
    name: str, run: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(run, tmp_path / "run")
    pbt = json.loads((root / "run.json").read_text())["pbt"]
    change(root, "run.json", pbt=pbt | {name: 0})
    code, printed, errors = autolfads("history", root)
    assert (code, printed) == (2, "")
    assert errors.startswith(f"autolfads: {root}/run.json: pbt.{name} is 0; expected {pbt[name]}")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_story_that_may_not_be_whole_is_told_and_exits_with_1(
    options: tuple[str, ...], run: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(run, tmp_path / "run")
    (root / "members/001/gen-003/order.json").unlink()
    code, printed, errors = autolfads("history", root, *options)
    assert code == 1
    assert "mini" in printed
    assert errors.startswith(f"{root}: ")
    assert "may not be the whole story: `autolfads replay` names them" in errors
