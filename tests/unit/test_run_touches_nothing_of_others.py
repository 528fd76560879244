"""`autolfads run` in a folder that is not its own: refused, and nothing there is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autolfads_operator.claiming import claim, forget, owner_of
from autolfads_operator.cli import commands
from autolfads_operator.manifest import read_manifest
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError

MANIFEST = """\
apiVersion: autolfads.io/v1alpha1
kind: AutoLFADSRun
metadata: {name: tiny}
spec:
  data: {path: nowhere.h5}
  seed: SEED
"""


def manifest(folder: Path, seed: int = 0) -> Path:
    path = folder / "run.yaml"
    path.write_text(MANIFEST.replace("SEED", str(seed)))
    return path


def refused(manifest: Path, out: Path) -> str:
    with pytest.raises(InputError) as caught:
        commands.main(["run", str(manifest), "--out", str(out)], standalone_mode=False)
    return str(caught.value)


def claimed_by(manifest: Path, out: Path) -> RunFolder:
    folder = RunFolder(out)
    claim(folder, owner_of(read_manifest(manifest), manifest))
    return folder


def kept(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def test_a_folder_of_the_user_s_own_with_names_like_ours(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    for name in ("notes.txt", "prepare/raw.txt", "workers/pay.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    before = kept(out)
    assert "holds files that are no run's" in refused(manifest(tmp_path), out)
    assert kept(out) == before


def test_another_run_that_is_being_prepared(tmp_path: Path) -> None:
    out = tmp_path / "run"
    claimed_by(manifest(tmp_path), out)
    (out / "prepare/attempt-1").mkdir(parents=True)
    (out / "prepare/attempt-1/task.json").write_text("{}")
    before = kept(out)
    assert "spec.seed was 0 and is now 1" in refused(manifest(tmp_path, seed=1), out)
    assert kept(out) == before


def test_a_run_with_members_is_never_forgotten(tmp_path: Path) -> None:
    folder = claimed_by(manifest(tmp_path), tmp_path / "run")
    (folder.root / "members").mkdir()
    before = kept(folder.root)
    forget(folder)
    assert kept(folder.root) == before
    (folder.root / "members").rmdir()
    forget(folder)
    assert kept(folder.root) == {}


def test_an_owner_whose_spec_was_changed_is_no_owner(tmp_path: Path) -> None:
    folder = claimed_by(manifest(tmp_path), tmp_path / "run")
    path = folder.root / "owner.json"
    owner = json.loads(path.read_text())
    path.write_text(json.dumps(owner | {"spec": owner["spec"] | {"population": 3}}))
    before = kept(folder.root)
    with pytest.raises(InputError, match=r"owner\.json: was changed: its spec is not the one"):
        claim(folder, owner_of(read_manifest(tmp_path / "run.yaml"), tmp_path / "run.yaml"))
    assert kept(folder.root) == before


@pytest.mark.parametrize("what", ["a file", "a folder"])
def test_what_is_in_the_way_of_results_is_told_before_anything_is_trained(
    tmp_path: Path, what: str
) -> None:
    folder = claimed_by(manifest(tmp_path), tmp_path / "run")
    if what == "a file":
        folder.results.write_text("mine")
    else:
        folder.results.mkdir()
        (folder.results / "notes.txt").write_text("mine")
    before = kept(folder.root)
    said = refused(tmp_path / "run.yaml", folder.root)
    assert f"{folder.results}: found {what}" in said
    assert "expected no such name: move it away" in said
    assert kept(folder.root).items() >= {n: c for n, c in before.items() if "results" in n}.items()


def test_words_of_workers_of_a_run_that_was_removed_are_not_this_run_s(tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "workers").mkdir(parents=True)
    (out / "workers/worker-0a1b2c3d.status.json").write_text("{}")
    folder = claimed_by(manifest(tmp_path), out)
    assert folder.contents("workers") == []


@pytest.mark.parametrize(
    "name",
    ["team.json", "payroll.log", "archive.json/deep.txt", "worker-0a1b2c3d.json/x", ".d.tmp"],
)
def test_a_folder_called_workers_may_be_the_user_s(name: str, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    path = out / "workers" / name
    path.parent.mkdir(parents=True)
    path.write_text("my only copy")
    (out / "workers" / "worker-0a1b2c3d.log").touch()
    assert "holds files that are no run's" in refused(manifest(tmp_path), out)
    assert path.read_text() == "my only copy"
