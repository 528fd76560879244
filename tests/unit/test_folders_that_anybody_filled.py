"""Folders are listed and removed within bounds, whatever somebody has put into them."""

from __future__ import annotations

import errno
import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_directory_examples import end_of, in_child

from autolfads_trainer import disk, folders
from autolfads_trainer.disk import contents as names_in
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.folders import DEEPEST, remove_in
from autolfads_trainer.places import place_of


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(folders, "MOST_NAMES", 10)
    return 10


def fill(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}").touch()


def gone(path: Path) -> None:
    with place_of(path) as place:
        remove_in(*place)


def nest(folder: Path, depth: int) -> None:
    """Make folders in one another, with a file in each."""
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
        os.mkdir("a-name-of-some-length", dir_fd=handle)
        inner = os.open("a-name-of-some-length", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)


@pytest.fixture
def few_files() -> Iterator[None]:
    """Let this process have few open files more than it has."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    there = max(int(name) for name in os.listdir("/dev/fd"))  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + DEEPEST + 10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_all_names_are_listed_in_order(tmp_path: Path) -> None:
    fill(tmp_path / "x", 5)
    assert names_in(tmp_path / "x") == ["000", "001", "002", "003", "004"]


def test_of_too_many_names_some_are_listed(tmp_path: Path, few: int) -> None:
    fill(tmp_path / "x", few + 5)
    assert len(names_in(tmp_path / "x")) == few


def test_however_many_they_are_all_are_removed(tmp_path: Path, few: int) -> None:
    fill(tmp_path / "x", 3 * few + 1)
    fill(tmp_path / "x/inner", 2 * few)
    gone(tmp_path / "x")
    assert names_in(tmp_path) == []


@pytest.mark.usefixtures("few_files")
@pytest.mark.parametrize("depth", [DEEPEST - 1, DEEPEST, DEEPEST + 1, 200])
def test_however_deep_they_are_all_are_removed(tmp_path: Path, depth: int) -> None:
    nest(tmp_path / "x", depth)
    gone(tmp_path / "x")
    assert names_in(tmp_path) == []


def test_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    fill(tmp_path / "others", 1)
    (tmp_path / "x").mkdir()
    (tmp_path / "x/link").symlink_to(tmp_path / "others")
    gone(tmp_path / "x")
    assert names_in(tmp_path) == ["others"]
    assert names_in(tmp_path / "others") == ["000"]


def test_a_link_itself_is_removed(tmp_path: Path) -> None:
    fill(tmp_path / "others", 1)
    (tmp_path / "x").symlink_to(tmp_path / "others")
    gone(tmp_path / "x")
    assert names_in(tmp_path) == ["others"]
    assert names_in(tmp_path / "others") == ["000"]


def test_a_link_on_the_way_leads_nowhere(tmp_path: Path) -> None:
    """Also where it took a folder's place after that was looked at."""
    fill(tmp_path / "others", 1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/x").symlink_to(tmp_path / "others")
    with pytest.raises(StoreError, match="run/x: is a link"):
        disk.remove(tmp_path / "run/x/000", within=tmp_path / "run")
    assert names_in(tmp_path / "others") == ["000"]


def shut(folder: Path, mode: int) -> None:
    """Give a folder and all folders in it a mode."""
    for place in sorted((folder, *folder.rglob("*")), key=lambda path: -len(path.parts)):
        if place.is_dir():
            place.chmod(mode)


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="needs Linux")
@pytest.mark.parametrize("mode", [0o000, 0o100, 0o200, 0o300, 0o400, 0o500, 0o600])
@pytest.mark.parametrize("depth", [1, DEEPEST, 2 * DEEPEST])
def test_what_its_maker_has_shut_is_removed_all_the_same(mode: int, depth: int) -> None:
    """As who owns it: root need not ask, and would not meet it."""
    with tempfile.TemporaryDirectory() as temporary:  # pytest's own is closed to others
        root = Path(temporary)
        nest(root / "x", depth)
        if os.geteuid() == 0:
            for path in (root, *root.rglob("*")):
                os.chown(path, 10001, 10001)
        shut(root / "x", mode)

        def as_owner() -> None:
            if os.geteuid() == 0:
                os.setegid(10001)
                os.seteuid(10001)
            gone(root / "x")

        assert end_of(in_child(as_owner)) == 0
        assert names_in(root) == []


def test_who_makes_names_faster_than_they_go_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "ROUNDS", 3)
    fill(tmp_path / "x", 1)
    unlink = os.unlink

    def and_another(name: str, dir_fd: int) -> None:
        unlink(name, dir_fd=dir_fd)
        os.close(os.open(f"{name}0", os.O_CREAT | os.O_WRONLY, dir_fd=dir_fd))

    monkeypatch.setattr(os, "unlink", and_another)
    with pytest.raises(OSError, match="not empty") as error:
        gone(tmp_path / "x")
    assert error.value.errno == errno.ENOTEMPTY


def test_what_is_in_a_folder_comes_one_after_another(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    assert sorted(path.name for path in folders.entries(tmp_path)) == ["000", "001", "002"]


@pytest.mark.parametrize("mode", [0o000, 0o500, 0o600])
def test_a_folder_that_its_maker_shut_can_be_changed_and_removed(tmp_path: Path, mode: int) -> None:
    shut = tmp_path / "shut"
    fill(shut, 2)
    shut.chmod(mode)
    with place_of(shut) as place:
        folders.let_change(*place)
    assert shut.stat().st_mode & 0o777 == 0o700
    shut.chmod(mode)
    gone(shut)
    assert not shut.exists()


def test_where_folders_cannot_be_opened_by_path_alone_modes_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut = tmp_path / "shut"
    fill(shut, 1)
    shut.chmod(0o500)
    monkeypatch.delattr(os, "O_PATH", raising=False)
    with place_of(shut) as place:
        folders.let_change(*place)
    assert shut.stat().st_mode & 0o777 == 0o500
