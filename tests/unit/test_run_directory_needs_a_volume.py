"""A volume that cannot do what a run needs is refused with the reason, before anything starts."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from run_directory_examples import Disk, failing, listing

from autolfads_trainer import volume
from autolfads_trainer.disk import read_at, write_new
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.places import Place
from autolfads_trainer.volume import check_volume


def refusal(root: Path) -> str:
    with pytest.raises(StoreError) as caught:
        check_volume(root)
    message = str(caught.value)
    prefix = f"{root}: this volume cannot do what a run needs: "
    assert message.startswith(prefix)
    return message.removeprefix(prefix)


def test_a_local_disk_can_do_all_of_it_and_keeps_no_trace(tmp_path):
    check_volume(tmp_path / "new" / "run")

    assert listing(tmp_path / "new" / "run") == []
    check_volume(tmp_path / "new" / "run")
    assert listing(tmp_path / "new" / "run") == []


def test_what_is_there_already_is_left_alone(tmp_path):
    (tmp_path / "trial").write_text("a user's")

    check_volume(tmp_path)

    assert {name.name: name.read_text() for name in tmp_path.iterdir()} == {"trial": "a user's"}


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EROFS])
@pytest.mark.parametrize(
    ("call", "need"),
    [
        ("write", "write and fsync"),
        ("fsync", "write and fsync"),
        ("link", "hard link"),
        ("replace", "rename"),
        ("fsync folder", "fsync of a folder"),
    ],
)
def test_what_the_volume_cannot_do_is_named(call, need, number, tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    check_volume(tmp_path)
    turn = len(disk.calls) + disk.names.index(call)
    disk.at[turn] = failing(number)

    assert refusal(tmp_path) == f"{need} ({os.strerror(number)})"
    assert listing(tmp_path) == []


def test_a_second_link_that_fails_otherwise_than_because_the_name_exists_is_told(
    tmp_path, monkeypatch
):
    disk = Disk(monkeypatch)
    check_volume(tmp_path)
    links = [turn for turn, name in enumerate(disk.names) if name == "link"]
    disk.at[len(disk.names) + links[1]] = failing(errno.EIO)

    assert refusal(tmp_path) == f"exclusive creation ({os.strerror(errno.EIO)})"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_volume_in_use_may_be_full_or_failing_now(tmp_path, monkeypatch, number):
    disk = Disk(monkeypatch)
    disk.at[0] = failing(number)
    check_volume(tmp_path, in_use=True)
    assert listing(tmp_path) == []


def test_a_volume_in_use_that_cannot_do_it_any_more_is_refused(tmp_path, monkeypatch):
    disk = Disk(monkeypatch)
    check_volume(tmp_path)
    disk.at[len(disk.names) + disk.names.index("link")] = failing(errno.EPERM)
    with pytest.raises(StoreError, match="cannot do what a run needs: hard link"):
        check_volume(tmp_path, in_use=True)


def test_a_link_that_succeeds_and_says_that_its_name_exists_is_a_link(tmp_path, monkeypatch):
    real = Place.link

    def link(first, second):
        real(first, second)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    monkeypatch.setattr(Place, "link", link)
    check_volume(tmp_path)


def linking(as_the_volume_does: Callable[[Place, Place], object], monkeypatch) -> None:
    monkeypatch.setattr(Place, "link", as_the_volume_does)


def test_a_volume_whose_links_replace_is_refused(tmp_path, monkeypatch):
    real = Place.link

    def replaces(first: Place, second: Place) -> None:
        if second.status() is not None:
            second.unlink()
        real(first, second)

    linking(replaces, monkeypatch)

    assert refusal(tmp_path) == "exclusive creation (a second hard link replaced the first)"
    assert listing(tmp_path) == []


def test_a_volume_that_copies_instead_of_linking_is_refused(tmp_path, monkeypatch):
    linking(lambda first, second: write_new(second, read_at(first, 100)), monkeypatch)

    assert refusal(tmp_path) == "hard link (the second name is not a link to the first)"
    assert listing(tmp_path) == []


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_trial_whose_files_another_tidied_away_is_made_again(tmp_path, monkeypatch, nth):
    link, calls = Place.link, []

    def slept_before(source, target):
        calls.append(source)
        if len(calls) == min(nth, 2):  # before the first link, or before the second
            for path in tmp_path.iterdir():
                if nth != 2 or path.name != source.name:
                    path.unlink()
        return link(source, target)

    monkeypatch.setattr(Place, "link", slept_before)
    check_volume(tmp_path)
    assert len(calls) > 2
    assert list(tmp_path.iterdir()) == []


def test_a_volume_that_gives_back_other_bytes_is_refused(tmp_path, monkeypatch):
    """As one whose cache has lost a write does."""
    monkeypatch.setattr(volume, "read_at", lambda place, most: bytes(len(read_at(place, most))))
    assert refusal(tmp_path) == "write and fsync (what was written is not what is read)"
