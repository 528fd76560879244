"""Two mounts of one source, as two clients of a share: each has its faults, one sees late."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import Volume, mounted
from run_directory_examples import listing
from trying import PATIENCE_SECONDS, wait_until

LATE_SECONDS = 2.5


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share") / "source"
    folder.mkdir()
    (folder / "aside").mkdir()
    (folder / "old").mkdir()
    (folder / "old" / "file").write_text("from before")
    return folder


@pytest.fixture(scope="module")
def first(source: Path) -> Iterator[Volume]:
    with mounted(source, source.with_name("first")) as volume:
        yield volume


@pytest.fixture(scope="module")
def late(source: Path) -> Iterator[Volume]:
    with mounted(source, source.with_name("late"), see_late=LATE_SECONDS) as volume:
        yield volume


@pytest.fixture(scope="module")
def remembering(source: Path) -> Iterator[Volume]:
    with mounted(source, source.with_name("remembering"), cache=LATE_SECONDS) as volume:
        yield volume


def put(path: Path, content: str) -> None:
    new = path.with_name(f".{path.name}.tmp")
    new.write_text(content)
    new.replace(path)


def test_each_mount_has_faults_of_its_own(first, late):
    first.faults([{"op": "mkdir", "errno": "EIO"}])
    try:
        (late.path / "fine").mkdir()
        with pytest.raises(OSError, match="Input/output error"):
            (first.path / "failing").mkdir()
    finally:
        first.clear()


def test_a_name_made_at_one_mount_is_seen_late_at_the_other_and_then_for_good(first, late):
    put(first.path / "a", "1")
    put(first.path / "aside" / "b", "1")  # and nobody asks for it yet

    assert not (late.path / "a").exists()
    assert "a" not in listing(late.path)
    with pytest.raises(FileNotFoundError):
        (late.path / "a").open()
    wait_until((late.path / "a").exists)
    assert "a" in listing(late.path)
    assert (late.path / "aside" / "b").exists()
    put(first.path / "a", "2")
    assert (late.path / "a").read_text() == "2"

    (first.path / "a").unlink()
    assert not (late.path / "a").exists()
    put(first.path / "a", "3")
    assert not (late.path / "a").exists()


def test_what_was_there_before_the_mount_is_seen_at_once(source, tmp_path):
    with mounted(source, tmp_path / "late", see_late=PATIENCE_SECONDS) as late:
        (source / "old" / "another").touch()  # it changes the folder, whose name is no newer

        assert listing(late.path / "old") == ["file"]
        assert (late.path / "old" / "file").read_text() == "from before"


def test_what_a_mount_makes_itself_it_sees_at_once(late):
    put(late.path / "own", "content")
    (late.path / "own folder").mkdir()
    os.link(late.path / "own", late.path / "own link")
    (late.path / "own symlink").symlink_to("own")

    assert (late.path / "own").read_text() == "content"
    assert {"own", "own folder", "own link", "own symlink"} <= set(listing(late.path))
    assert (late.path / "own link").samefile(late.path / "own symlink")


def test_who_makes_a_late_name_hears_that_it_exists_and_then_sees_it(first, late):
    (first.path / "decided").write_text("first")
    (first.path / "folder").mkdir()
    (late.path / "mine").write_text("second")
    assert not (late.path / "decided").exists()
    assert not (late.path / "folder").exists()

    with pytest.raises(FileExistsError):
        os.link(late.path / "mine", late.path / "decided")
    assert (late.path / "decided").read_text() == "first"
    (late.path / "folder").mkdir(exist_ok=True)


def test_a_missing_name_is_remembered_for_a_while(first, remembering):
    assert not (remembering.path / "b").exists()
    put(first.path / "b", "1")

    assert not (remembering.path / "b").exists()
    wait_until((remembering.path / "b").exists)


def test_a_name_is_remembered_but_an_open_finds_the_newest_file(first, remembering):
    put(first.path / "c", "old")
    assert (remembering.path / "c").read_text() == "old"
    before = (remembering.path / "c").stat()
    put(first.path / "c", "new and longer")

    assert (remembering.path / "c").stat().st_size == before.st_size
    with (remembering.path / "c").open() as file:
        assert os.fstat(file.fileno()).st_size == len("new and longer")
        assert file.read() == "new and longer"


def test_a_file_that_grows_is_read_to_its_end_by_who_opens_it_then(first, remembering):
    with (first.path / "d").open("w") as file:
        file.write("one")
        file.flush()
        assert (remembering.path / "d").stat().st_size == 3
        file.write(" two")
        file.flush()

    assert (remembering.path / "d").stat().st_size == 3
    with (remembering.path / "d").open() as file:
        assert os.fstat(file.fileno()).st_size == len("one two")
        assert file.read() == "one two"
