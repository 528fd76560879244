"""Which folders of a shared volume are candidates to be removed, and that they go whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autolfads_operator.cluster.sweep import _not_kept, _remove
from autolfads_trainer.disk import make_folder
from autolfads_trainer.records import Owner
from autolfads_trainer.store import RunFolder

UID = "0a1b2c3d-0000-4000-8000-000000000000"
NAME = f"mine-{UID}"


def folder(volume: Path, name: str = NAME, **owner: Any) -> Path:
    """Make a run's folder; as it is, it may go."""
    made = volume / "lab" / name
    whose = {"name": "mine", "namespace": "lab", "uid": UID, "cluster": "here"}
    RunFolder(made).claim(Owner(spec={}, spec_hash="", **{"keep_results": False, **whose, **owner}))
    make_folder(made / "members/000")
    (made / "members/000/checkpoint").touch()
    return made


def candidates(volume: Path, *known: str) -> list[str]:
    return [uid for uid, _ in _not_kept(volume / "lab", "here", frozenset(known))]


def test_a_folder_that_is_not_to_be_kept_and_whose_run_is_gone_may_go(tmp_path: Path) -> None:
    made = folder(tmp_path)
    assert candidates(tmp_path) == [UID]
    _remove(made)
    assert not made.exists()


@pytest.mark.parametrize(
    "owner",
    [
        {"keep_results": True},
        {"cluster": "another"},
        {"namespace": "another"},
        {"name": "another"},
        {"uid": "ffffffff-0000-4000-8000-000000000000"},
        {"uid": None},
    ],
)
def test_whose_owner_says_otherwise_stays(tmp_path: Path, owner: dict[str, Any]) -> None:
    folder(tmp_path, **owner)
    assert candidates(tmp_path) == []


def test_whose_run_is_there_stays(tmp_path: Path) -> None:
    folder(tmp_path)
    assert candidates(tmp_path, UID) == []


def test_a_copy_of_another_name_stays(tmp_path: Path) -> None:
    folder(tmp_path, "copy-of-mine")
    assert candidates(tmp_path) == []


def test_nothing_is_reached_through_a_link(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder(tmp_path / "elsewhere")
    make_folder(tmp_path / "lab")
    (tmp_path / "lab" / NAME).symlink_to(tmp_path / "elsewhere/lab" / NAME)
    assert candidates(tmp_path) == []
    assert caplog.records == []  # a user may have put it there: no warning a minute


def test_one_that_cannot_be_read_stays_and_holds_up_no_other(tmp_path: Path) -> None:
    (folder(tmp_path, f"broken-{UID}") / "owner.json").write_text("{")
    folder(tmp_path)
    assert candidates(tmp_path) == [UID]


def test_a_sweep_that_is_broken_off_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folder(tmp_path)

    make_folder(made / "workers")
    remove = RunFolder.remove

    def fails(run: RunFolder, name: str) -> bool:
        if name == "workers":  # comes after owner.json in a listing
            raise OSError(5, "Input/output error", name)
        return remove(run, name)

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "remove", fails)
        with pytest.raises(OSError, match="Input/output"):
            _remove(made)
    assert candidates(tmp_path) == [UID]
