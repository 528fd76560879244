"""Each fault of the volume appears on demand, where it is asked for, and ends with its rule."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_rules import OPS
from mounts import NO_SPACE, READ_ONLY, Call, need_callers
from run_directory_examples import listing
from trying import PATIENCE_SECONDS, said, sync, wait_until

from autolfads_trainer.disk import write_bytes
from autolfads_trainer.store import StoreError
from autolfads_trainer.volume import check_volume

# Each operation, and a call that needs it, for the file "file" in the folder "folder".
CALLS: dict[str, Callable[[Path], object]] = {
    "lookup": lambda here: (here / "file").stat(),
    "getattr": lambda here: (here / "file").stat(),
    "readlink": lambda here: (here / "leads").readlink(),
    "opendir": lambda here: listing(here / "folder"),
    "readdir": lambda here: listing(here / "folder"),
    "fsyncdir": lambda here: sync(here / "folder"),
    "open": lambda here: (here / "file").read_bytes(),
    "open for writing": lambda here: (here / "file").open("r+b").close(),
    "create": lambda here: (here / "file.new").touch(),
    "read": lambda here: (here / "file").read_bytes(),
    "write": lambda here: (here / "file").write_bytes(b"other"),
    "flush": lambda here: (here / "file").open("rb").close(),
    "fsync": lambda here: sync(here / "file"),
    "truncate": lambda here: os.truncate(here / "file", 1),
    "setattr": lambda here: os.utime(here / "file"),
    "link": lambda here: os.link(here / "file", here / "file.link"),
    "symlink": lambda here: (here / "file.symlink").symlink_to("file"),
    "rename": lambda here: (here / "file").rename(here / "file.renamed"),
    "unlink": lambda here: (here / "file").unlink(),
    "mkdir": lambda here: (here / "folder.new").mkdir(),
    "rmdir": lambda here: (here / "folder").rmdir(),
    "statfs": lambda here: os.statvfs(here / "file"),
}


@pytest.fixture
def filled(here: Path) -> Path:
    (here / "file").write_bytes(b"content")
    (here / "folder").mkdir()
    (here / "leads").symlink_to("file")
    return here


@pytest.mark.parametrize("op", CALLS)
def test_each_operation_fails_as_a_rule_says_and_no_longer(op, volume, filled):
    volume.faults([{"op": op, "path": f"{filled.name}/*", "errno": "EIO"}])

    assert said(lambda: CALLS[op](filled)) == "EIO"
    assert {call.op for call in volume.calls()} == {op}
    volume.clear()
    assert said(lambda: CALLS[op](filled)) == ""


def test_the_calls_for_each_operation_are_all_there_are():
    assert set(CALLS) == OPS


@pytest.mark.parametrize("name", ["EIO", "ESTALE", "ENOSPC", "EROFS", "EDQUOT", "EACCES"])
def test_a_call_fails_with_the_error_that_is_asked_for(name, volume, filled):
    volume.faults([{"op": "write", "errno": name}])

    assert said(lambda: CALLS["write"](filled)) == name


def test_only_the_first_calls_fail(volume, filled):
    volume.faults([{"op": "fsync", "errno": "EIO", "times": 2}])

    assert [said(lambda: sync(filled / "file")) for _ in range(4)] == ["EIO", "EIO", "", ""]
    assert volume.hits() == [2]


def test_a_stale_name_is_asked_for_again_by_the_kernel(volume, filled):
    volume.faults([{"op": "open", "errno": "ESTALE", "times": 1}])
    assert said(lambda: CALLS["open"](filled)) == ""
    assert volume.hits() == [1]

    volume.faults([{"op": "open", "errno": "ESTALE", "times": 2}])
    assert said(lambda: CALLS["open"](filled)) == "ESTALE"
    assert volume.hits() == [2]


@pytest.mark.parametrize(
    ("path", "fails"),
    [("", "ab"), ("/a.json", "a"), ("a.js", "a"), ("*.json", "ab"), ("*/?.json", "ab"), ("c", "")],
)
def test_a_rule_is_for_a_part_of_a_path_or_a_glob(path, fails, volume, here):
    volume.faults([{"op": "create", "path": path, "errno": "EIO"}])

    failed = [name for name in "ab" if said((here / f"{name}.json").touch) == "EIO"]
    assert "".join(failed) == fails


def test_a_file_is_met_by_the_name_it_has_now(volume, here):
    with (here / "before").open("w") as file:
        (here / "before").rename(here / "after")
        volume.faults([{"op": "fsync"}])
        os.fsync(file.fileno())

    assert volume.calls() == [Call(0, "fsync", f"{here.name}/after")]


def test_a_rule_is_for_the_old_and_the_new_name(volume, filled):
    volume.faults([{"op": "rename", "path": "file"}, {"op": "link", "path": "file"}])
    os.link(filled / "file", filled / "other")
    (filled / "file").rename(filled / "renamed")

    assert volume.hits() == [1, 1]
    assert [Path(call.path).name for call in volume.calls()] == ["other", "renamed"]


def test_each_read_can_fail_also_of_what_was_read_before(volume, filled):
    with (filled / "file").open("rb", buffering=0) as file:
        assert file.read() == b"content"
        volume.faults([{"op": "read", "errno": "EIO"}])
        file.seek(0)
        assert said(file.read) == "EIO"


def test_a_call_can_succeed_and_report_an_error(volume, filled):
    volume.faults(
        [
            {"op": "link", "errno": "EEXIST", "after": True},
            {"op": "rename", "errno": "EIO", "after": True},
            {"op": "create", "errno": "EIO", "after": True},
        ]
    )

    assert said(lambda: os.link(filled / "file", filled / "linked")) == "EEXIST"
    assert (filled / "linked").samefile(filled / "file")
    assert said(lambda: (filled / "file").rename(filled / "renamed")) == "EIO"
    assert listing(filled) == ["folder", "leads", "linked", "renamed"]
    assert said((filled / "created").touch) == "EIO"
    assert (filled / "created").exists()
    assert volume.hits() == [1, 1, 1]


def test_a_full_disk_takes_nothing_but_lets_go(volume, filled):
    volume.faults([NO_SPACE])

    failing = {op for op, call in CALLS.items() if said(lambda call=call: call(filled)) == "ENOSPC"}
    assert failing == {"create", "write", "link", "symlink", "mkdir"}
    assert listing(filled) == ["file.renamed", "leads"]  # removed, the folder too


def test_a_disk_that_is_read_only_changes_nothing(volume, filled):
    volume.faults([READ_ONLY])

    failing = {op for op, call in CALLS.items() if said(lambda call=call: call(filled)) == "EROFS"}
    assert failing == {
        *("create", "open for writing", "write", "truncate", "setattr", "link", "symlink"),
        *("rename", "unlink", "mkdir", "rmdir"),
    }
    assert (filled / "file").read_bytes() == b"content"


def test_a_disk_has_only_so_much_room(volume, here):
    (here / "before").write_bytes(bytes(60_000))
    volume.faults([{"op": "full", "free": 100_000}])
    found = os.statvfs(here)

    assert 0 < found.f_bavail * found.f_frsize <= 100_000
    (here / "a").write_bytes(bytes(90_000))
    (here / "a").write_bytes(bytes(90_000))  # in the place of the first
    assert said(lambda: (here / "b").write_bytes(bytes(20_000))) == "ENOSPC"
    (here / "before").unlink()
    (here / "b").write_bytes(bytes(60_000))
    (here / "b").replace(here / "a")
    (here / "b").write_bytes(bytes(90_000))
    assert said(lambda: (here / "c").write_bytes(bytes(20_000))) == "ENOSPC"


@pytest.mark.parametrize(
    ("rule", "need"),
    [
        ({"op": "link", "errno": "EPERM"}, "hard link"),
        ({"op": "link", "errno": "ENOTSUP"}, "hard link"),
        ({"op": "fsync", "errno": "EINVAL"}, "write and fsync"),
        ({"op": "fsyncdir", "errno": "EINVAL"}, "fsync of a folder"),
        ({"op": "rename", "errno": "EIO"}, "rename"),
        ({"op": "rename", "copies": True}, "rename"),
        ({"op": "link", "copies": True}, "hard link"),
        ({"op": "write", "loses": True}, "write and fsync"),
        ({"op": "link", "overwrites": True}, "exclusive creation"),
        ({"op": "create", "overwrites": True}, "exclusive creation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_volume_lacks_is_seen_by_the_trial_at_the_start(rule, need, volume, here):
    if "overwrites" in rule:
        need_callers()
    volume.faults([rule])

    with pytest.raises(StoreError, match=f"cannot do what a run needs: {need} "):
        check_volume(here)
    assert volume.hits()[0] > 0


def test_a_link_can_replace_what_is_there_once(volume, here):
    need_callers()
    (here / "a").write_text("first")
    (here / "b").write_text("second")
    volume.faults([{"op": "link", "overwrites": True, "times": 1}])

    assert said(lambda: (here / "a").open("x")) == "EEXIST"  # only a link does
    os.link(here / "b", here / "a")
    assert (here / "a").read_text() == "second"
    assert (here / "a").samefile(here / "b")
    assert said(lambda: os.link(here / "b", here / "a")) == "EEXIST"


def test_an_exclusive_creation_can_take_what_is_there(volume, here, monkeypatch):
    need_callers()
    (here / "a").write_text("first, and long")
    volume.faults([{"op": "create", "overwrites": True}])

    monkeypatch.chdir(here)
    with Path("a").open("x") as file:  # the caller is known by relative names too
        file.write("other")
    assert (here / "a").read_text() == "other, and long"
    os.link(here / "a", here / "b")
    assert said(lambda: os.link(here / "a", here / "b")) == "EEXIST"


# Slow, and never.
def test_a_slow_call_holds_up_no_other(volume, here):
    volume.faults([{"op": "create", "path": "slow", "delay": 1.5}])
    slow = threading.Thread(target=(here / "slow").touch)
    slow.start()
    volume.wait_for_hit()

    (volume.path / "quick").touch()
    assert slow.is_alive()
    assert not (volume.source / here.name / "slow").exists()
    slow.join()
    assert (here / "slow").exists()


def test_what_hangs_goes_on_when_its_rule_is_taken_away_and_holds_up_no_other(volume, here):
    (here / "a").write_text("content")
    hang = {"op": "open", "path": f"{here.name}/a", "hang": True}
    volume.faults([hang])
    read: list[str] = []
    threads = [
        threading.Thread(target=lambda: read.append((here / "a").read_text())) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: volume.hits() == [40])

    write_bytes(here / "b", b"of all others")
    volume.faults([hang, {"op": "fsync", "errno": "EIO"}])  # another rule beside it
    assert said(lambda: sync(here / "b")) == "EIO"
    assert read == []
    volume.faults([{"op": "fsync", "errno": "EIO"}])
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert read == ["content"] * 40


def test_a_call_can_be_carried_out_and_its_answer_hang(volume, here):
    volume.faults([{"op": "mkdir", "hang": True, "after": True}])
    thread = threading.Thread(target=(here / "made").mkdir)
    thread.start()
    volume.wait_for_hit()

    wait_until((volume.source / here.name / "made").is_dir)
    assert thread.is_alive()
    volume.clear()
    thread.join(PATIENCE_SECONDS)
    assert (here / "made").is_dir()


# The log, and slips.
def test_calls_are_told_in_order(volume, here):
    (here / "a").write_text("content")
    volume.faults([{"op": "fsync"}, {"op": "writes", "path": "b"}, {"op": "fsyncdir"}])
    write_bytes(here / "b", b"content")

    found = [(call.rule, call.op) for call in volume.calls()]
    assert found == [
        *((1, "create"), (1, "write"), (0, "fsync"), (1, "fsync"), (1, "rename")),
        (2, "fsyncdir"),
    ]
    assert volume.hits() == [1, 4, 1]


@pytest.mark.parametrize(
    "rule",
    [{"op": "fsnyc"}, {"op": "fsync", "errno": "EOI"}, {"op": "fsync", "hangs": True}, {}],
    ids=str,
)
def test_a_slip_in_a_rule_is_told(rule, volume):
    with pytest.raises(ValueError, match="no such"):
        volume.faults([rule])
