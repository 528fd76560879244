"""What decides is created once: whoever is first, all go by the record that has the name."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from run_directory_examples import TRANSIENT, Disk, end_of, failing, in_child, listing, order

from autolfads_trainer.disk_errors import NotVisibleYetError, may_pass, retried
from autolfads_trainer.places import Place
from autolfads_trainer.records import Assignment, Order, Outcome
from autolfads_trainer.store import RunFolder, create_once, read, replace


@pytest.fixture
def naps(monkeypatch):
    """Waiting between tries takes no time here; how long it would be is kept."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def test_the_second_record_is_dropped_and_the_first_returned(tmp_path):
    path = tmp_path / "order.json"
    first, second = order(epochs=15), order(epochs=16)

    assert create_once(path, first) == first
    written = path.read_bytes()
    assert create_once(path, second) == first
    assert path.read_bytes() == written
    assert listing(tmp_path) == ["order.json"]


def test_of_many_processes_one_wins_and_all_go_by_it(tmp_path):
    racers = 8
    for lap in range(10):
        path = tmp_path / f"order-{lap}.json"
        start, go = os.pipe()

        def race(number: int, path: Path = path, start: int = start, go: int = go) -> None:
            os.close(go)
            os.read(start, 1)  # returns when the last holder of the other end has closed it
            counts = create_once(path, order(member=number))
            path.with_suffix(f".{number}").write_text(str(counts.member))

        children = [in_child(lambda number=number: race(number)) for number in range(racers)]
        os.close(start)
        os.close(go)
        assert [end_of(child) for child in children] == [0] * racers

        winner = read(path, Order).member
        told = [int(path.with_suffix(f".{number}").read_text()) for number in range(racers)]
        assert told == [winner] * racers
        assert not list(tmp_path.glob(".*"))


def test_a_controller_that_gives_up_an_attempt_and_its_worker_agree(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "members").mkdir()
    finished = Outcome(outcome="finished", score=0.2, epoch=30)
    abandoned = Outcome(outcome="abandoned", reason="silent for 60 s")

    assert folder.settle("members", abandoned) == abandoned
    assert folder.settle("members", finished) == abandoned
    assert folder.outcome("members") == abandoned


@pytest.mark.parametrize("number", [errno.EEXIST, errno.EIO, errno.ESTALE])
def test_a_link_that_succeeds_and_reports_an_error_counts(number, tmp_path, monkeypatch, naps):
    path = tmp_path / "order.json"
    disk = Disk(monkeypatch)

    def made_all_the_same() -> None:
        (partial,) = tmp_path.glob(".order.json.*.tmp")
        disk.real["link"](partial, path)
        failing(number)()

    disk.at[2] = made_all_the_same

    assert create_once(path, order(epochs=15)) == order(epochs=15)
    assert disk.names[2] == "link"
    assert listing(tmp_path) == ["order.json"]
    assert disk.names[-1] == "fsync folder"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EPERM])
def test_a_link_that_fails_although_another_has_decided_gives_the_others_record(
    number, tmp_path, monkeypatch, naps
):
    path = tmp_path / "order.json"
    first = create_once(path, order(epochs=15))
    Disk(monkeypatch).at[2] = failing(number)

    assert create_once(path, order(epochs=16)) == first


@pytest.mark.parametrize("number", [errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_a_link_that_fails_for_good_leaves_nothing(number, tmp_path, monkeypatch, naps):
    path = tmp_path / "order.json"
    disk = Disk(monkeypatch)
    disk.at |= dict.fromkeys(range(2, 40), failing(number))

    with pytest.raises(OSError, match=os.strerror(number)):
        create_once(path, order())

    assert listing(tmp_path) == []


def test_what_was_written_in_one_decides_when_the_folder_could_not_be_synced(
    tmp_path, monkeypatch, naps
):
    path = tmp_path / "order.json"
    disk = Disk(monkeypatch)
    disk.at[3] = failing(errno.ENOSPC)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        create_once(path, order(epochs=15))

    assert create_once(path, order(epochs=16)) == order(epochs=15)


@pytest.mark.parametrize("number", TRANSIENT)
def test_what_a_shared_volume_says_in_passing_is_tried_again(number, naps):
    answers = iter([number, number])

    def call() -> str:
        for answer in answers:
            failing(answer)()
        return "read"

    assert retried(call) == "read"
    assert len(naps) == 2
    assert 0 < naps[0] < naps[1] < 1


@pytest.mark.parametrize("number", TRANSIENT)
def test_what_does_not_pass_is_told_after_five_tries(number, naps):
    tries = []

    def call() -> None:
        tries.append(1)
        failing(number)()

    with pytest.raises(OSError, match=os.strerror(number)):
        retried(call)

    assert len(tries) == 5
    assert len(naps) == 4


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENOSPC])
def test_what_is_not_in_passing_is_told_at_once(number, naps):
    tries = []

    def call() -> None:
        tries.append(1)
        failing(number)()

    with pytest.raises(OSError, match=os.strerror(number)):
        retried(call)

    assert len(tries) == 1
    assert naps == []


def test_a_record_is_read_through_a_stale_handle(tmp_path, monkeypatch, naps):
    path = tmp_path / "order.json"
    create_once(path, order())
    real, stale = os.open, iter([errno.ESTALE, errno.EIO])

    def opens(name, flags, *arguments, **options):
        for number in stale if name == "order.json" else ():
            failing(number)()
        return real(name, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", opens)

    assert read(path, Order) == order()
    assert len(naps) == 2


@pytest.mark.parametrize("step", range(4))
def test_a_record_is_replaced_through_a_stale_handle(step, tmp_path, monkeypatch, naps):
    path = tmp_path / "w1.json"
    disk = Disk(monkeypatch)
    disk.at[step] = failing(errno.ESTALE)

    replace(path, Assignment(task="a"))

    assert read(path, Assignment) == Assignment(task="a")
    assert listing(tmp_path) == ["w1.json"]
    assert len(naps) == 1
    # All of it anew: after a failed fsync, another fsync of the same file says nothing.
    assert disk.names[step + 1 :] == ["write", "fsync", "replace", "fsync folder"]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EPERM])
def test_a_rename_that_was_done_and_reports_an_error_was_done(number, tmp_path, monkeypatch):
    """A share that lost its answer repeats the call, and then finds nothing to rename."""
    path = tmp_path / "w1.json"
    replace(path, Assignment(task="a"))
    real = Place.rename

    def done_and_failed(partial, place):
        real(partial, place)
        failing(number)()

    monkeypatch.setattr(Place, "rename", done_and_failed)
    replace(path, Assignment(task="b"))
    assert read(path, Assignment) == Assignment(task="b")
    assert listing(tmp_path) == ["w1.json"]


def test_a_rename_that_failed_is_told(tmp_path, monkeypatch):
    path = tmp_path / "w1.json"
    replace(path, Assignment(task="a"))
    monkeypatch.setattr(Place, "rename", lambda *_: failing(errno.EACCES)())
    with pytest.raises(PermissionError):
        replace(path, Assignment(task="b"))
    assert read(path, Assignment) == Assignment(task="a")


def test_what_another_made_and_is_not_seen_yet_is_no_decision_yet(tmp_path, monkeypatch):
    path = tmp_path / "order.json"

    def exists_for_link_alone(*_):
        failing(errno.EEXIST)()

    monkeypatch.setattr(Place, "link", exists_for_link_alone)
    with pytest.raises(NotVisibleYetError):
        create_once(path, order())
    assert may_pass(NotVisibleYetError(errno.ENOENT, "late"))
