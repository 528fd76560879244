"""A folder of the run that turns into a link, at any moment, leads no call out of the run.

Another process swaps the two as fast as it can, as a worker could that wants to see, to write or to
have removed what is another run's.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from run_directory_examples import end_of, in_child, order, task

from autolfads_trainer import disk
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.places import place_of
from autolfads_trainer.records import Assignment, Outcome
from autolfads_trainer.store import RunFolder

MEMBER, LEG, ATTEMPT = "members/003", "members/003/gen-002", "members/003/gen-002/attempt-1"
OURS, ITS = (Outcome(outcome="finished", epoch=55, score=score) for score in (0.25, 0.99))
ENOUGH, LONGEST = 15, 60.0  # of either, and seconds to wait for so many

Call = Callable[[RunFolder], bool]
LIBC, EXCHANGE = ctypes.CDLL(None), 2  # of renameat2(2)

pytestmark = pytest.mark.skipif(not hasattr(LIBC, "renameat2"), reason="swaps as Linux can")


def run_of(root: Path, outcome: Outcome) -> RunFolder:
    folder = RunFolder(root)
    root.mkdir()
    folder.give_order(order(why=str(outcome.score)))
    folder.give_task(task(ATTEMPT))
    folder.settle(ATTEMPT, outcome)
    (root / ATTEMPT / f"checkpoint-{outcome.score}").touch()
    (root / "workers").mkdir()
    return folder


def tree(root: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


@contextlib.contextmanager
def swapped(folder: Path, other: Path) -> Iterator[None]:
    """Have `folder` be a link to `other`, every other moment, and never nothing."""
    link = folder.with_name(".link")
    link.symlink_to(other)
    names = (-100, os.fsencode(link), -100, os.fsencode(folder))  # not below an open folder

    def swap() -> None:
        while True:
            assert LIBC.renameat2(*names, EXCHANGE) == 0

    child = in_child(swap)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        assert end_of(child) == -signal.SIGKILL


def reads(folder: RunFolder) -> bool:
    outcome, order = folder.outcome(ATTEMPT), folder.order(3, 2)
    return outcome == OURS and order is not None and order.why == "0.25"


def lists(folder: RunFolder) -> bool:
    return folder.contents(ATTEMPT) == ["checkpoint-0.25", "outcome.json", "task.json"]


def looks(folder: RunFolder) -> bool:
    return folder.has(f"{ATTEMPT}/checkpoint-0.25") and not folder.has(f"{ATTEMPT}/checkpoint-0.99")


def creates(folder: RunFolder) -> bool:
    folder.give_task(task(f"{LEG}/attempt-2", attempt=2))
    return folder.settle(f"{LEG}/attempt-2", OURS) == OURS


def makes_folders(folder: RunFolder) -> bool:
    return folder.give_order(order(generation=3)) == order(generation=3)


def replaces(folder: RunFolder) -> bool:
    folder.assign("worker-1", Assignment(task=ATTEMPT))
    return True


def removes(folder: RunFolder) -> bool:
    folder.remove(f"{ATTEMPT}/checkpoint-0.99")  # which we do not have
    return folder.remove(f"{ATTEMPT}/no-such-file")


def publishes(folder: RunFolder) -> bool:
    made = folder.root / f"{ATTEMPT}/results"
    disk.make_folder(made, within=folder.root)
    folder.publish(ATTEMPT)
    return folder.remove("results")


CALLS: tuple[Call, ...] = (reads, lists, looks, removes, publishes, creates, makes_folders)
CASES = [
    *((place, call) for place in (MEMBER, LEG, ATTEMPT) for call in CALLS[:5]),
    *((place, creates) for place in (MEMBER, LEG)),
    (MEMBER, makes_folders),
    ("workers", replaces),
]


@pytest.mark.parametrize(("swaps", "call"), CASES)
def test_no_call_leaves_the_run(tmp_path: Path, swaps: str, call: Call) -> None:
    other = run_of(tmp_path / "other", ITS).root
    folder = run_of(tmp_path / "run", OURS)
    before, done, refused = tree(other), 0, 0
    end = time.monotonic() + LONGEST
    with swapped(folder.root / swaps, other / swaps):
        while min(done, refused) < ENOUGH and time.monotonic() < end:
            try:
                ours = call(folder)
            except (StoreError, OSError):
                refused += 1
            else:
                assert ours
                done += 1
    assert tree(other) == before
    assert min(done, refused) >= ENOUGH  # or nothing was tried


def test_a_link_in_the_place_of_what_was_just_written_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("another's")
    with place_of(tmp_path / "order.json") as place:
        partial = place.temporary()
        os.symlink(tmp_path / "other", partial.name, dir_fd=partial.folder)
        partial.link(place)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        disk.read_bytes(tmp_path / "order.json", 100)


@pytest.mark.parametrize("place", [MEMBER, LEG, ATTEMPT])
def test_a_link_in_a_folders_place_is_named(tmp_path: Path, place: str) -> None:
    other = run_of(tmp_path / "other", ITS).root
    folder = run_of(tmp_path / "run", OURS)
    (folder.root / place).rename(tmp_path / "aside")
    (folder.root / place).symlink_to(other / place)
    for call in (folder.outcome, folder.contents, lambda at: folder.settle(f"{at}/new", OURS)):
        with pytest.raises(
            StoreError, match=f"{place}: is a link; expected only files and folders"
        ):
            call(ATTEMPT)


def test_a_file_in_a_folders_place_is_named(tmp_path: Path) -> None:
    folder = run_of(tmp_path / "run", OURS)
    (folder.root / LEG).rename(tmp_path / "aside")
    (folder.root / LEG).touch()
    with pytest.raises(StoreError, match=f"{LEG}: is a file; expected a folder"):
        folder.outcome(ATTEMPT)
