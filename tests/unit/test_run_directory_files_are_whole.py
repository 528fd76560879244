"""A file of the run directory is complete, and on the disk, before it has its name."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_directory_examples import KILLED, Disk, die, end_of, failing, in_child, listing, order

from autolfads_trainer import disk
from autolfads_trainer.disk import make_folder, write_bytes, write_with
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.places import is_temporary, place_of
from autolfads_trainer.records import Assignment, WorkerStatus
from autolfads_trainer.store import RunFolder, create_once, read, read_if_there, replace

NEW = Assignment(task="new " * 5000)
OLD = Assignment(task="old")


def bytes_of(path: Path) -> object:
    return write_bytes(path, b"new " * 5000)


def from_a_writer(path: Path) -> object:
    def writes(name: Path) -> None:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT)
        os.write(handle, b"new " * 5000)
        os.close(handle)

    return write_with(path, writes)


def record(path: Path) -> object:
    return replace(path, NEW)


def decision(path: Path) -> object:
    return create_once(path, NEW)


WRITERS: tuple[Callable[[Path], object], ...] = (bytes_of, from_a_writer, record, decision)
REPLACING = (bytes_of, from_a_writer, record)


def content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def complete(writer: Callable[[Path], object], folder: Path) -> bytes:
    path = folder / "complete"
    writer(path)
    whole = path.read_bytes()
    path.unlink()
    return whole


@pytest.mark.parametrize("writer", WRITERS)
def test_content_is_synced_before_the_name_and_the_name_before_the_call_returns(
    writer, tmp_path, monkeypatch
):
    disk = Disk(monkeypatch)

    writer(tmp_path / "file")

    naming = "link" if writer is decision else "replace"
    assert disk.names == ["write", "fsync", naming, "fsync folder"]
    (_, written), (_, synced), (_, named), (_, folder) = disk.calls
    assert written == synced == named == (tmp_path / "file").stat().st_ino
    assert folder == tmp_path.stat().st_ino
    assert listing(tmp_path) == ["file"]


@pytest.mark.parametrize("writer", REPLACING)
def test_a_name_holds_all_of_the_old_or_all_of_the_new_at_every_step(writer, tmp_path, monkeypatch):
    whole = complete(writer, tmp_path)
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen = []
    disk = Disk(monkeypatch)
    disk.before = lambda: seen.append(content(path))

    writer(path)

    assert seen == [b"old", b"old", b"old", whole]


def test_a_decision_has_no_name_until_all_of_it_is_there(tmp_path, monkeypatch):
    whole = complete(decision, tmp_path)
    path = tmp_path / "file"
    seen = []
    disk = Disk(monkeypatch)
    disk.before = lambda: seen.append(content(path))

    decision(path)

    assert seen == [None, None, None, whole]


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("step", range(3))
def test_a_writer_killed_before_the_name_leaves_no_name(writer, step, tmp_path, monkeypatch):
    path = tmp_path / "file"
    disk = Disk(monkeypatch)
    disk.at[step] = die

    assert end_of(in_child(lambda: writer(path))) == KILLED

    assert not path.exists()
    # What it leaves is no name that a reader opens, and the next writer is not held up by it.
    assert all(name.startswith(".file.") and name.endswith(".tmp") for name in listing(tmp_path))
    disk.at.clear()
    writer(path)
    assert content(path) == complete(writer, tmp_path)


@pytest.mark.parametrize("writer", REPLACING)
@pytest.mark.parametrize("step", range(3))
def test_a_writer_killed_before_the_name_leaves_what_was_there(writer, step, tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    Disk(monkeypatch).at[step] = die

    assert end_of(in_child(lambda: writer(path))) == KILLED

    assert content(path) == b"old"


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_killed_after_the_name_leaves_all_of_it(writer, tmp_path, monkeypatch):
    path = tmp_path / "file"
    disk = Disk(monkeypatch)
    disk.at[3] = die

    assert end_of(in_child(lambda: writer(path))) == KILLED

    disk.at.clear()
    assert content(path) == complete(writer, tmp_path)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("step", range(3))
def test_a_disk_that_fails_before_the_name_leaves_nothing_behind(
    writer, step, tmp_path, monkeypatch
):
    Disk(monkeypatch).at[step] = failing(errno.ENOSPC)

    with pytest.raises((OSError, StoreError), match=os.strerror(errno.ENOSPC)):
        writer(tmp_path / "file")

    assert listing(tmp_path) == []


@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_cannot_be_synced_is_told(writer, tmp_path, monkeypatch):
    Disk(monkeypatch).at[3] = failing(errno.ENOSPC)

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        writer(tmp_path / "file")


def test_a_writer_that_fails_by_itself_leaves_nothing_behind(tmp_path):
    def breaks_off(name: Path) -> None:
        name.write_bytes(b"half of")
        raise RuntimeError("no more numbers")

    with pytest.raises(RuntimeError, match="no more numbers"):
        write_with(tmp_path / "model.ckpt", breaks_off)

    assert listing(tmp_path) == []


def test_no_two_writers_use_the_same_temporary_name(tmp_path):
    with place_of(tmp_path / "order.json") as place:
        made = {place.temporary() for _ in range(200)}

    assert len(made) == 200
    assert {partial.folder for partial in made} == {place.folder}
    assert not any(partial.name.endswith(".json") for partial in made)
    assert all(is_temporary(partial.name) for partial in made)


def test_new_folders_are_synced_from_the_top(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)

    make_folder(tmp_path / "a" / "b" / "c")

    parents = (tmp_path, tmp_path / "a", tmp_path / "a" / "b")
    assert disk.calls == [("fsync folder", parent.stat().st_ino) for parent in parents]
    make_folder(tmp_path / "a" / "b" / "c")
    assert len(disk.calls) == 3


def test_a_folder_that_another_made_at_the_same_time_is_taken(tmp_path, monkeypatch):
    folder = tmp_path / "members"
    folder.mkdir()
    missing = iter([True])
    real = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: not next(missing, False) and real(path))

    make_folder(folder)

    assert next(missing, False) is False
    assert folder.exists()


def test_a_reader_that_polls_never_sees_part_of_a_record(tmp_path):
    folder = RunFolder(tmp_path)
    folder.assign("w1", OLD)
    ready, go_on = os.pipe()

    def poll() -> None:
        os.close(go_on)
        os.set_blocking(ready, False)
        seen = set()
        while True:
            assignment = folder.assignment("w1")  # raises for a part of a record, which is no JSON
            status = folder.status("w1")
            decided = read_if_there(tmp_path / "order.json", type(order()))
            assert assignment is not None
            assert assignment.task is not None
            assert len(set(assignment.task.split())) == 1
            assert status is None or len(status.doing) == 50_000
            assert decided is None or len(decided.why) == 60_000
            seen.add(assignment.task[:3])
            try:
                assert os.read(ready, 1) == b""
                break
            except BlockingIOError:
                pass
        assert seen >= {"new"}

    child = in_child(poll)
    os.close(ready)
    for turn in range(150):
        folder.assign("w1", NEW if turn % 2 else OLD)
        folder.report("w1", WorkerStatus(counter=turn, doing="x" * 50_000))
    folder.assign("w1", NEW)
    create_once(tmp_path / "order.json", order(why="y" * 60_000))
    os.close(go_on)

    assert end_of(child) == 0


@pytest.mark.parametrize("step", range(2))
def test_a_status_that_cannot_be_written_leaves_the_one_before(step, tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    make_folder(tmp_path / "workers")
    folder.report("w1", WorkerStatus(counter=1, doing="training"))
    disk = Disk(monkeypatch)
    disk.at[step] = failing(errno.ENOSPC)

    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        folder.report("w1", WorkerStatus(counter=2, doing="training"))

    assert listing(tmp_path / "workers") == ["w1.status.json"]
    assert folder.status("w1") == WorkerStatus(counter=1, doing="training")
    assert disk.names == ["write", "replace"][: step + 1]


def test_a_status_costs_no_sync(tmp_path, monkeypatch):
    make_folder(tmp_path / "workers")
    disk = Disk(monkeypatch)

    RunFolder(tmp_path).report("w1", WorkerStatus(counter=1, doing="training"))

    assert disk.names == ["write", "replace"]
    assert read(tmp_path / "workers" / "w1.status.json", WorkerStatus).counter == 1


def test_a_call_that_writes_a_part_is_not_taken_for_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, content[:7]))
    write_bytes(tmp_path / "a", b"0123456789" * 10)
    assert (tmp_path / "a").read_bytes() == b"0123456789" * 10


@pytest.mark.parametrize("call", ["link", "fsync"])
def test_a_handle_that_has_gone_stale_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real, failed = getattr(os, call), 0

    def once(first: Any, *others: Any, **options: Any) -> Any:
        nonlocal failed
        is_content = isinstance(first, int) and stat.S_ISREG(os.fstat(first).st_mode)
        if not is_content and not failed:
            failed += 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(first, *others, **options)

    monkeypatch.setattr(os, call, once)
    assert create_once(tmp_path / "a", NEW) == NEW
    assert failed


def test_a_disk_that_gives_back_something_else_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert disk.is_kept(tmp_path)
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: write(handle, bytes(len(content))))
    assert not disk.is_kept(tmp_path)


def test_a_folder_whose_name_could_not_be_synced_is_synced_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = disk.sync_names

    def fails(_folder: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def told(folder: int) -> None:
        synced.append(os.fstat(folder).st_ino)
        real(folder)

    monkeypatch.setattr(disk, "sync_names", fails)
    with pytest.raises(OSError, match="Input/output"):
        make_folder(tmp_path / "a/b")
    monkeypatch.setattr(disk, "sync_names", told)
    make_folder(tmp_path / "a/b")
    assert synced == [tmp_path.stat().st_ino, (tmp_path / "a").stat().st_ino]
    make_folder(tmp_path / "a/b")
    assert len(synced) == 2
