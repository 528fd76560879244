"""Where things are in a run directory, that no record leads out of it, and what is removed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from run_directory_examples import Disk, failing, order, run, task

from autolfads_trainer import disk, store
from autolfads_trainer.disk import is_kept
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.folders import remove_in
from autolfads_trainer.places import Place, is_temporary
from autolfads_trainer.records import Assignment, End, Outcome, Owner, WorkerStatus
from autolfads_trainer.store import RunFolder

OWNER = Owner(name="reach", spec={}, spec_hash="12")
FINISHED = Outcome(outcome="finished", epoch=55, score=0.25)
LEG = "members/003/gen-002"
ATTEMPT = f"{LEG}/attempt-1"


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


def names_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def tree(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in names_in(root)}


def test_every_record_is_where_documents_and_other_programs_look_for_it(folder):
    folder.claim(OWNER)
    folder.freeze(run())
    folder.give_order(order())
    folder.give_task(task(ATTEMPT))
    folder.settle(ATTEMPT, FINISHED)
    folder.assign("w1", Assignment(task=ATTEMPT))
    folder.report("w1", WorkerStatus(counter=1, doing="idle"))
    folder.finish(End(state="succeeded", reason="all epochs are done"))

    assert names_in(folder.root) == {
        "owner.json",
        "run.json",
        "members/003/gen-002/order.json",
        "members/003/gen-002/attempt-1/task.json",
        "members/003/gen-002/attempt-1/outcome.json",
        "workers/w1.json",
        "workers/w1.status.json",
        "end.json",
    }


def test_what_was_written_is_read_and_what_was_not_is_none(folder):
    assert folder.owner() is None
    assert folder.run() is None
    assert folder.end() is None
    assert folder.order(3, 2) is None
    assert folder.task(ATTEMPT) is None
    assert folder.outcome(ATTEMPT) is None
    assert folder.assignment("w1") is None
    assert folder.status("w1") is None

    end = End(state="failed", reason="all scores are NaN or infinite")
    status = WorkerStatus(counter=1, doing="idle")
    assert folder.claim(OWNER) == folder.owner() == OWNER
    assert folder.freeze(run()) == folder.run() == run()
    assert folder.give_order(order()) == folder.order(3, 2) == order()
    assert folder.order_at(f"{LEG}/order.json") == order()
    assert folder.give_task(task(ATTEMPT)) == folder.task(ATTEMPT) == task(ATTEMPT)
    assert folder.settle(ATTEMPT, FINISHED) == folder.outcome(ATTEMPT) == FINISHED
    assert folder.finish(end) == folder.end() == end
    folder.assign("w1", Assignment(task=ATTEMPT))
    folder.report("w1", status)
    assert folder.assignment("w1") == Assignment(task=ATTEMPT)
    assert folder.status("w1") == status


def test_what_decides_stays_and_what_workers_do_now_is_replaced(folder):
    folder.claim(OWNER)
    folder.freeze(run())
    folder.give_order(order())
    folder.give_task(task(ATTEMPT))
    folder.settle(ATTEMPT, FINISHED)
    end = folder.finish(End(state="succeeded", reason="all epochs are done"))
    before = tree(folder.root)

    assert folder.claim(OWNER.model_copy(update={"name": "other"})) == OWNER
    assert folder.freeze(run(seed=12)) == run()
    assert folder.give_order(order(epochs=1)) == order()
    assert folder.give_task(task(ATTEMPT, worker="w2")) == task(ATTEMPT)
    assert folder.settle(ATTEMPT, Outcome(outcome="abandoned")) == FINISHED
    assert folder.finish(End(state="failed", reason="late")) == end
    assert tree(folder.root) == before

    for number in range(2):
        folder.assign("w1", Assignment(task=str(number), leave=bool(number)))
        folder.report("w1", WorkerStatus(counter=number, doing="idle"))
    assert folder.assignment("w1") == Assignment(task="1", leave=True)
    assert folder.status("w1") == WorkerStatus(counter=1, doing="idle")


def test_listings_read_in_order_up_to_a_thousand():
    names = [RunFolder.leg_folder(member, 7) for member in (0, 9, 10, 99, 100, 999)]
    assert names == sorted(names)
    assert names[1] == "members/009/gen-007"
    assert RunFolder.leg_folder(1000, 1000) == "members/1000/gen-1000"


def test_attempts_are_walked_in_order_up_to_the_first_that_is_missing(folder):
    failed = Outcome(outcome="failed", reason="out of memory")
    given = [task(RunFolder.attempt_folder(LEG, number), attempt=number) for number in (1, 2, 3, 5)]
    for each in given:
        folder.give_task(each)
    folder.settle(given[0].folder, failed)
    folder.settle(given[2].folder, FINISHED)

    walked = list(folder.attempts(LEG))

    assert walked == [(given[0], failed), (given[1], None), (given[2], FINISHED)]
    assert list(folder.attempts("members/000/gen-001")) == []


def test_more_attempts_than_a_run_can_make_are_not_walked(folder, monkeypatch):
    monkeypatch.setattr(store, "MOST_ATTEMPTS", 2)
    for number in (1, 2):
        folder.give_task(task(RunFolder.attempt_folder(LEG, number), attempt=number))
    assert len(list(folder.attempts(LEG))) == 2
    folder.give_task(task(RunFolder.attempt_folder(LEG, 3), attempt=3))
    with pytest.raises(StoreError, match=f"{LEG}: has more than 2 attempts"):
        list(folder.attempts(LEG))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../other-run/run.json",
        "members/../../other-run",
        "members/003/..",
        "/etc/passwd",
        "//server/share",
    ],
)
def test_no_record_leads_out_of_the_folder(folder, name):
    outside = folder.root.parent / "other-run"
    outside.mkdir()
    (outside / "run.json").write_text("{}")
    doings = (
        folder.path,
        folder.remove,
        folder.publish,
        folder.order_at,
        folder.task,
        folder.outcome,
        lambda name: folder.settle(name, FINISHED),
        lambda name: folder.give_task(task(name)),
        lambda name: list(folder.attempts(name)) if name else folder.path(name),
    )

    for doing in doings:
        with pytest.raises(StoreError) as caught:
            doing(name)
        assert str(caught.value).startswith(f"{folder.root}: a record names '")
        assert str(caught.value).endswith("', outside of the folder")

    assert tree(outside) == {"run.json": b"{}"}
    assert list(folder.root.iterdir()) == []


@pytest.mark.parametrize("name", ["members/003", "a", "..a/b..", "members/003/...", "~/x"])
def test_names_within_the_folder_are_taken(folder, name):
    assert folder.path(name) == folder.root / name


def export_results(folder: RunFolder, attempt: str, content: str) -> None:
    made = folder.root / attempt / "results"
    made.mkdir(parents=True)
    (made / "summary.json").write_text(content)


def test_results_are_published_whole_by_one_renaming(folder):
    export_results(folder, "export/attempt-1", "one")

    folder.publish("export/attempt-1")

    assert tree(folder.results) == {"summary.json": b"one"}
    assert folder.results == folder.root / "results"
    assert not (folder.root / "export" / "attempt-1" / "results").exists()


def test_publishing_again_changes_nothing(folder):
    export_results(folder, "export/attempt-1", "one")
    folder.publish("export/attempt-1")
    folder.publish("export/attempt-1")

    assert tree(folder.results) == {"summary.json": b"one"}


@pytest.mark.parametrize("what", ["a file", "a folder", "other results"])
def test_what_is_in_the_way_of_results_is_named_and_nothing_is_lost(folder, what):
    if what == "a file":
        folder.root.mkdir(exist_ok=True)
        folder.results.write_text("mine")
    elif what == "a folder":
        folder.results.mkdir(parents=True)
        (folder.results / "notes.txt").write_text("mine")
    else:
        export_results(folder, "export/attempt-1", "mine")
        folder.publish("export/attempt-1")
    export_results(folder, "export/attempt-2", "two")

    with pytest.raises(StoreError) as caught:
        folder.publish("export/attempt-2")

    made = folder.root / "export" / "attempt-2" / "results"
    assert str(caught.value) == (
        f"{folder.results}: is in the way of the run's results, which are in {made}; expected no "
        "such name: move it away, and go on with the run"
    )
    assert tree(made) == {"summary.json": b"two"}
    assert "mine" in str(tree(folder.root))
    folder.results.rename(folder.root / "elsewhere")
    folder.publish("export/attempt-2")
    assert tree(folder.results) == {"summary.json": b"two"}


def test_an_empty_folder_is_not_in_the_way_of_results(folder):
    export_results(folder, "export/attempt-1", "one")
    folder.results.mkdir()
    folder.publish("export/attempt-1")
    assert tree(folder.results) == {"summary.json": b"one"}


def test_results_that_are_still_seen_under_their_old_name_are_published(folder, monkeypatch):
    export_results(folder, "export/attempt-1", "one")
    folder.publish("export/attempt-1")
    # Another controller did that: this one's volume remembers the name, and refuses the renaming.
    monkeypatch.setattr(Place, "status", lambda _place: folder.results.stat())
    monkeypatch.setattr(Place, "rename", lambda *_: failing(errno.ENOTEMPTY)())
    folder.publish("export/attempt-1")
    assert tree(folder.results) == {"summary.json": b"one"}


def test_results_that_were_never_made_cannot_be_published(folder):
    folder.claim(OWNER)

    with pytest.raises(StoreError) as caught:
        folder.publish("export/attempt-1")

    made = folder.root / "export" / "attempt-1" / "results"
    assert str(caught.value) == (
        f"{made}: there are no results to publish; remove the folder export of the run, and they "
        "are made again"
    )
    assert not folder.results.exists()


@pytest.mark.parametrize("name", ["results", "export/attempt-1/results"])
def test_results_are_not_published_through_a_link(folder, tmp_path, name):
    export_results(folder, "export/attempt-2", "one")
    (tmp_path / "other").mkdir()
    (folder.root / name).parent.mkdir(parents=True, exist_ok=True)
    (folder.root / name).symlink_to(tmp_path / "other")

    with pytest.raises(StoreError, match="is a link"):
        folder.publish("export/attempt-1")
    assert tree(tmp_path / "other") == {}


def test_the_name_of_the_results_is_durable_before_anything_follows_from_it(folder, monkeypatch):
    export_results(folder, "export/attempt-1", "one")
    disk = Disk(monkeypatch)
    folder.publish("export/attempt-1")
    assert disk.names == ["replace", "fsync folder"]
    assert disk.calls[1][1] == folder.root.stat().st_ino


def test_a_record_that_is_a_link_is_not_read(folder, tmp_path):
    folder.claim(OWNER)
    (tmp_path / "other.json").write_text(End(state="failed", reason="x").model_dump_json())
    (folder.root / "end.json").symlink_to(tmp_path / "other.json")
    with pytest.raises(StoreError, match=r"end\.json: is no plain file"):
        folder.end()


def test_an_order_or_a_task_at_another_place_is_refused(folder):
    folder.give_order(order())
    folder.give_task(task(ATTEMPT))
    other = folder.root / "members" / "004"
    shutil.copytree(folder.root / "members" / "003", other)
    with pytest.raises(StoreError, match=r"004/gen-002/order\.json: is for member 3, generation 2"):
        folder.order(4, 2)
    with pytest.raises(StoreError, match=r"004/gen-002/order\.json: is for member 3, generation 2"):
        folder.give_order(order(member=4))
    with pytest.raises(StoreError, match=r"attempt-1/task\.json: is for 'members/003/gen-002/att"):
        folder.task("members/004/gen-002/attempt-1")


def test_a_file_or_a_folder_is_removed_and_may_be_gone_already(folder):
    folder.give_order(order())
    folder.give_task(task(ATTEMPT))
    kept = folder.give_order(order(member=4))
    checkpoint = folder.root / ATTEMPT / "checkpoint.ckpt"
    checkpoint.write_bytes(b"weights")

    for _ in range(2):
        folder.remove(f"{ATTEMPT}/checkpoint.ckpt")
        assert folder.task(ATTEMPT) is not None
        assert not checkpoint.exists()
    for _ in range(2):
        folder.remove(ATTEMPT)
        assert not (folder.root / ATTEMPT).exists()
    assert folder.order(3, 2) == order()
    assert folder.order(4, 2) == kept


def test_removing_a_link_leaves_what_it_points_to(folder, tmp_path):
    other = tmp_path / "other-run"
    other.mkdir()
    (other / "run.json").write_text("{}")
    folder.claim(OWNER)
    (folder.root / "file").symlink_to(other / "run.json")
    (folder.root / "folder").symlink_to(other)

    folder.remove("file")
    folder.remove("folder")

    assert tree(other) == {"run.json": b"{}"}
    assert not (folder.root / "file").is_symlink()


@pytest.mark.parametrize("name", ["members/\udc80\ud800/gen-001", "members/000/" + 300 * "x"])
def test_a_name_that_no_file_can_have_is_told(folder, name):
    (folder.root / "members/000").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"names .*, which no file can be called"):
        folder.path(name)


def test_a_disk_that_fails_while_a_name_is_looked_at_is_not_the_names_fault(folder, monkeypatch):
    def failing(_path: Path) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(Path, "lstat", failing)
    with pytest.raises(OSError, match="no"):
        folder.path(ATTEMPT)


def half_published(folder, monkeypatch, *, done: bool) -> None:
    """Publish with a rename that says EIO, having done it or not."""
    results = folder.path("export/attempt-1") / "results"
    results.mkdir(parents=True)
    rename = Place.rename

    def fails(own: Place, public: Place) -> None:
        if done:
            rename(own, public)
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(Place, "rename", fails)
    folder.publish("export/attempt-1")


def test_results_are_published_although_the_answer_to_the_renaming_is_wrong(folder, monkeypatch):
    half_published(folder, monkeypatch, done=True)
    assert folder.results.is_dir()


def test_results_that_could_not_be_renamed_are_not_published(folder, monkeypatch):
    with pytest.raises(OSError, match="no"):
        half_published(folder, monkeypatch, done=False)
    assert not folder.results.exists()


def test_a_folder_into_which_somebody_still_writes_is_not_gone(folder, monkeypatch):
    place = folder.path("members/000")
    place.mkdir(parents=True)

    def beaten(_folder: int, name: str) -> None:
        (place.with_name(name) / "again").touch()
        raise OSError(errno.ENOTEMPTY, "somebody was faster")

    monkeypatch.setattr(disk, "remove_in", beaten)
    assert not folder.remove("members/000")
    monkeypatch.undo()
    assert folder.remove("members/000")


def test_a_folder_of_which_another_removes_a_part_is_removed_all_the_same(folder, monkeypatch):
    place = folder.path("members/000")
    place.mkdir(parents=True)
    calls = []

    def half(folder: int, name: str) -> None:
        calls.append(name)
        if len(calls) == 1:
            raise FileNotFoundError(errno.ENOENT, "another was faster")
        remove_in(folder, name)

    monkeypatch.setattr(disk, "remove_in", half)
    assert folder.remove("members/000")
    assert len(calls) == 2


def test_a_disk_that_keeps_what_it_is_given_is_told_from_one_that_does_not(tmp_path, monkeypatch):
    assert is_kept(tmp_path)
    assert not is_kept(tmp_path / "missing")
    monkeypatch.setattr(
        "autolfads_trainer.disk.write_new", lambda place, _: os.close(place.create())
    )
    assert not is_kept(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_removal_that_the_disk_refuses_is_told(folder, monkeypatch):
    place = folder.path("members/000")
    place.mkdir(parents=True)

    def fails(_folder: int, _name: str) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(disk, "remove_in", fails)
    with pytest.raises(OSError, match="no"):
        folder.remove("members/000")


def test_a_folder_that_is_gone_is_not_made_again(folder):
    """Its volume may have been unmounted: then the same names would lie on another disk."""
    folder.root.rmdir()
    for write in (
        lambda: folder.give_order(order()),
        lambda: folder.give_task(task(ATTEMPT)),
        lambda: folder.assign("w", Assignment(task=ATTEMPT)),
        folder.see_that_it_is_there,
    ):
        with pytest.raises(FileNotFoundError) as caught:
            write()
        assert caught.value.filename == str(folder.root)
        assert not folder.root.exists()


def test_an_empty_folder_is_none_of_a_run(folder):
    with pytest.raises(FileNotFoundError):
        folder.see_that_it_is_there()
    folder.give_order(order())
    folder.see_that_it_is_there()


def test_a_task_of_another_attempt_is_refused(folder):
    """As a folder that was copied, or given another number, holds it."""
    folder.give_task(task(ATTEMPT))
    path = folder.root / ATTEMPT / "task.json"
    path.write_text(path.read_text().replace('"attempt": 1', '"attempt": 2'))
    with pytest.raises(StoreError, match=r"task\.json: is for '.*attempt-1', attempt 2"):
        folder.task(ATTEMPT)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (".order.json.4711-0a1b2c3d.tmp", True),
        (".lfads_output_sess0.h5.1-00000000.tmp", True),
        (".draft.tmp", False),
        (".order.json.4711-0a1b2c3.tmp", False),
        ("order.json.4711-0a1b2c3d.tmp", False),
        (".order.json.4711-0a1b2c3d.tmp.txt", False),
    ],
)
def test_what_is_half_made_has_a_name_that_no_user_gives(name, ours):
    assert is_temporary(name) == ours


def test_our_own_half_made_names_are_known(tmp_path):
    for name in ("order.json", "checkpoint-1.ckpt", "trial"):
        assert is_temporary(Place(0, name).temporary().name)
