"""A file that cannot be removed keeps nothing else from going, and never makes a run need more."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from ledger_examples import Mini, WatchedFolder, claimed, history, without_syncing
from played_pool import MOST_TURNS, Fails, Play, PlayedPool, Ticking, played

from autolfads_operator.controller import loop, removals
from autolfads_operator.controller.loop import Controller
from autolfads_operator.controller.removals import Removals
from autolfads_trainer.disk import make_folder
from autolfads_trainer.records import MOST_REFUSED
from autolfads_trainer.store import RunFolder

MINI = Mini(population=3, generations=8)
WORDS = "the disk reports input/output errors"


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removals, "FIRST_WAIT", 0.0)


class Refusing(WatchedFolder):
    """A folder on a disk that refuses to remove or list what is like one of the `bad` names."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.bad: tuple[str, ...] = ()
        self.number = errno.EIO
        self.asked: list[str] = []

    def remove(self, relative: str) -> bool:
        self._look_at(relative)
        return super().remove(relative)

    def contents(self, relative: str | None = None) -> list[str]:
        self._look_at(f"{relative or '.'}/")
        return super().contents(relative)

    def _look_at(self, name: str) -> None:
        if any(fnmatch(name, bad) for bad in self.bad):
            self.asked.append(name)
            raise OSError(self.number, "no", name)


def a_run(
    root: Path, *bad: str, plays: Callable[..., Play] | None = None
) -> tuple[Controller, PlayedPool, Refusing]:
    """Begin a run on a disk that refuses to remove what is `bad`."""
    claimed(root)
    folder = Refusing(root)
    owner = folder.owner()
    assert owner is not None
    pool = PlayedPool(root, MINI, 2, plays)
    controller = Controller(folder, owner, pool, Ticking())
    folder.bad = bad
    return controller, pool, folder


def turns(controller: Controller, pool: PlayedPool, most: int = MOST_TURNS) -> bool:
    """Take turns; return whether the run is over."""
    for _ in range(most):
        if controller.turn():
            return True
        pool.step()
    return False


def checkpoints(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.glob("members/*/*/*/*.ckpt"))


def test_one_that_can_never_be_removed_stays_alone_and_is_named_at_the_end(tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI)
    bad = "members/001/gen-002/attempt-1/checkpoint-1.ckpt"
    controller, pool, folder = a_run(rough, bad)
    most, over, told, calls = 0, False, set(), 0
    while not over:
        over = controller.turn()
        pool.step()
        told.add(controller.trouble())
        most = max(most, len(checkpoints(rough)))
        calls += 1
        assert calls < 30 * MOST_TURNS
    assert history(rough) == history(calm)
    assert set(checkpoints(rough)) == {*checkpoints(calm), bad}
    assert most <= 2 * MINI.population + 2 + MOST_REFUSED
    assert told == {None, WORDS}
    assert controller.left == [bad]
    assert not pool.workers, "they were told to leave"
    assert len(folder.asked) > 1


def test_it_is_removed_when_the_disk_works_again_and_then_there_is_no_trouble(
    tmp_path: Path,
) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI)
    controller, pool, folder = a_run(rough, "members/*/gen-001/attempt-1/checkpoint-1.ckpt")
    while len(folder.asked) < 5:
        assert not controller.turn()
        assert controller.trouble() is None, "it goes on"
        pool.step()
    folder.bad = ()
    assert turns(controller, pool)
    assert controller.trouble() is None
    assert controller.left == []
    assert checkpoints(rough) == checkpoints(calm)


@pytest.mark.parametrize("bad", ["members/*.ckpt", "members/001/gen-00[23]/attempt-1/"])
def test_a_disk_that_refuses_more_than_there_is_room_for_is_waited_for(
    tmp_path: Path, bad: str
) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI)
    controller, pool, folder = a_run(rough, bad)
    assert not turns(controller, pool)
    assert controller.ledger.generation < MINI.generations
    before = sorted(rough.rglob("*"))
    assert not turns(controller, pool, 50)
    assert sorted(rough.rglob("*")) == before
    assert controller.trouble() == WORDS
    folder.bad = ()
    assert turns(controller, pool)
    assert history(rough) == history(calm)
    assert checkpoints(rough) == checkpoints(calm)


def test_what_an_export_left_is_large_and_is_removed_before_the_next_one(tmp_path: Path) -> None:
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI)
    controller, pool, folder = a_run(rough, "export/attempt-1/results")
    pool.export = lambda attempt: Fails() if attempt == 1 else 0.0
    make_folder(rough / "export/attempt-1/results")
    assert not turns(controller, pool)
    assert len(controller.ledger.export) == 1
    folder.bad = ()
    assert turns(controller, pool)
    assert history(rough) == history(calm)


def test_other_errors_are_raised(tmp_path: Path) -> None:
    controller, pool, folder = a_run(tmp_path, "members/*.ckpt")
    folder.number = errno.EACCES
    with pytest.raises(PermissionError):
        turns(controller, pool)


def test_workers_are_told_to_leave_although_the_last_things_cannot_be_removed(
    tmp_path: Path,
) -> None:
    controller, pool, _ = a_run(tmp_path, ".run.json.*")
    bad = [f".run.json.1-0000000{number}.tmp" for number in range(5)]
    for name in bad:
        (tmp_path / name).touch()
    while controller.ledger.end is None:
        controller.turn()
        pool.step()
    pool.step()
    assert pool.workers == {}
    assert not turns(controller, pool, 50), "the disk has time to change its mind"
    controller.clock.now += 60  # type: ignore[attr-defined]
    assert turns(controller, pool)
    assert controller.left == bad
    assert RunFolder(tmp_path).end() is not None


def test_a_disk_that_fails_in_other_ways_at_the_end_is_waited_for_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller, pool, _ = a_run(tmp_path)
    while controller.ledger.end is None:
        controller.turn()
        pool.step()
    monkeypatch.setattr(loop, "LAST_TRIES", 30.0)

    def refused(*_: object) -> None:
        raise OSError(errno.EROFS, "no")

    pool.want(1)
    monkeypatch.setattr(RunFolder, "assign", refused)
    monkeypatch.setattr(pool, "want", lambda _count: None)
    with pytest.raises(OSError, match="no"):
        controller.turn()
    controller.clock.now += 31  # type: ignore[attr-defined]
    assert controller.turn()


def test_what_is_refused_is_asked_for_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "FIRST_WAIT", 0.1)
    folder = Refusing(tmp_path)
    folder.bad = ("x",)
    now = 0.0
    removing = Removals(folder, lambda: now)
    asked = []
    for step in range(2000):
        now = step / 100
        before = len(folder.asked)
        assert removing.remove("x")
        removing.try_again()
        asked += [now] * (len(folder.asked) - before)
    assert 3 <= len(asked) < 30


def test_what_somebody_writes_into_after_all_is_not_forgotten(tmp_path: Path) -> None:
    folder = Refusing(tmp_path)
    make_folder(tmp_path / "x")
    folder.bad = ("x",)
    removing = Removals(folder)
    assert removing.remove("x")
    folder.bad = ()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunFolder, "remove", lambda *_: False)
        removing.try_again()
    assert removing.refused == ["x"]
    removing.try_again()
    assert removing.refused == []
    assert not (tmp_path / "x").exists()


def test_a_new_controller_finds_what_could_not_be_removed_before_it(tmp_path: Path) -> None:
    """Also in generations that are long over when it begins."""
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    played(calm, MINI)
    bad = "members/001/gen-001/attempt-1/checkpoint-1.ckpt"
    controller, pool, _ = a_run(rough, bad)
    while controller.ledger.generation < 7:
        controller.turn()
        pool.step()
    assert (1, 1) not in controller.ledger.legs
    again, pool, folder = a_run(rough, bad)
    while not again.turn():
        pool.step()
        if again.ledger.end is not None:
            again.clock.now += 1  # type: ignore[attr-defined]
    assert again.left == [bad]
    assert history(rough) == history(calm)
    folder.bad = ()
    last, pool, _ = a_run(rough)
    assert turns(last, pool)
    assert bad not in checkpoints(rough)
    assert len(checkpoints(rough)) == len(checkpoints(calm))
