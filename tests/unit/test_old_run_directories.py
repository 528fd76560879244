"""A run directory made by an older version is gone on with, or refused with what it needs.

`old_runs/format-1.tar.gz` was made by the version before checksums, asynchronous mode and two names
for saves: `played`, a run of PlayedPool stopped in its third generation, and `real`, one that
`autolfads run` was interrupted in in its last generation, with `small.yaml`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from ledger_examples import Mini, history, orders
from played_pool import Dies, Leaves, Play, PlayedPool, Ticking, played, to_the_end

from autolfads_operator.controller.loop import Controller
from autolfads_trainer.store import RunFolder

OLD = Path(__file__).parent / "old_runs"


@pytest.fixture
def format_1(tmp_path: Path) -> Path:
    with tarfile.open(OLD / "format-1.tar.gz") as archive:
        archive.extractall(tmp_path / "format-1", filter="data")
    return tmp_path / "format-1"


def plays(member: int, generation: int, attempt: int) -> Play:
    if (member, generation, attempt) == (1, 2, 1):
        return Dies(1)
    if (member, generation, attempt) == (0, 2, 1):
        return Leaves(1)
    return [0.5, 0.25, 0.4][(member + generation) % 3]


def test_a_played_run_of_the_first_format_ends_as_one_of_today(
    format_1: Path, tmp_path: Path
) -> None:
    root = format_1 / "played"
    assert json.loads((root / "run.json").read_text())["format"] == 1
    mini = Mini(population=3, generations=3, seed=3)
    played(tmp_path / "new", mini, plays)
    pool = PlayedPool(root, mini, 2, plays)
    owner = RunFolder(root).owner()
    assert owner is not None
    to_the_end(Controller(RunFolder(root), owner, pool, Ticking()), pool)
    old, new = (
        {(o.member, o.generation): o.model_copy(update={"format": 2}) for o in orders(r)}
        for r in (root, tmp_path / "new")
    )
    assert old == new
    ours, theirs = history(root), history(tmp_path / "new")
    learnt = [name for name in theirs if name.endswith("learnt")]
    assert len(learnt) == 9
    assert [ours[name] for name in learnt] == [theirs[name] for name in learnt]
    assert ours["end.json"] == theirs["end.json"]


def run(root: Path, manifest: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "autolfads_operator.cli", "run", str(manifest)),
            *("--out", str(root), "--device", "cpu", "--workers", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_real_run_of_the_first_format_is_gone_on_with(format_1: Path) -> None:
    root = format_1 / "real"
    before = {path: path.read_bytes() for path in root.glob("members/*/*/order.json")}
    assert len(before) == 10
    done = run(root, format_1 / "small.yaml")
    assert done.returncode == 0, done.stderr
    assert (root / "results/autolfads.zip").exists()
    assert {path: path.read_bytes() for path in before} == before
    attempts = sorted((root / "members").glob("*/gen-005/attempt-*/task.json"))
    resumed = [json.loads(path.read_text()) for path in attempts]
    assert [task["resume"] for task in resumed] == [False, True] * 2
    assert all(task["startFrom"].endswith("/checkpoint.ckpt") for task in resumed)


def test_a_run_of_a_later_format_is_refused_with_the_version_that_it_needs(format_1: Path) -> None:
    root = format_1 / "real"
    owner = json.loads((root / "owner.json").read_text())
    (root / "owner.json").write_text(json.dumps({**owner, "format": 9, "autolfads": "3.1.4"}))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    refused = run(root, format_1 / "small.yaml")
    assert refused.returncode == 1
    assert "owner.json: was written by a newer version (format 9" in refused.stderr
    assert "expected autolfads 3.1.4 that made it" in refused.stderr
    shutil.rmtree(root / "workers", ignore_errors=True)
    after = {path: path.read_bytes() for path in before if path.exists()}
    assert {p: c for p, c in before.items() if p in after} == after


def test_the_manifest_of_the_old_run_is_one_of_today(format_1: Path) -> None:
    assert yaml.safe_load((format_1 / "small.yaml").read_text())["kind"] == "AutoLFADSRun"
