"""Each kind of fault that a disk can have, for each kind of file that a run writes.

A run meets a fault in every call on a file of the kind, and each of these calls as often as said:
more often than what is tried again at once, so that waiting begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mounts import Volume

Rule = dict[str, Any]

# How a file gets its name, and the calls that this takes.
ONCE = ("create", "write", "fsync", "link", "unlink")
REPLACED = ("create", "write", "fsync", "rename")
QUICKLY = ("create", "write", "rename")
STREAMED = ("create", "write", "flush")


@dataclass(frozen=True)
class File:
    """A kind of file: the names it has, half-made ones too, and the calls that write it."""

    path: str  # a glob
    calls: tuple[str, ...]
    read: bool = True  # in every run, and not by a worker's first look
    played: bool = True  # also where training is only played


FILES = {
    "owner": File("*/*owner.json*", ONCE, read=False),
    "run": File("*/*run.json*", ONCE),
    "order": File("*/*order.json*", ONCE),
    "task": File("*/*task.json*", ONCE),
    "outcome": File("*/*outcome.json*", ONCE),
    "end": File("*/*end.json*", ONCE, read=False),
    "assignment": File("*/workers/*[0-9a-f].json*", REPLACED),
    "status": File("*/workers/*.status.json*", QUICKLY),
    "metrics": File("*/*metrics.csv*", REPLACED),
    "checkpoint": File("*/*checkpoint-?.ckpt*", (*REPLACED, "unlink")),
    "folder": File("*/gen-???", ("mkdir", "fsyncdir"), read=False),
    "attempt's folder": File("*/attempt-?", ("mkdir", "fsyncdir"), read=False),
    "results": File("*/results/*", REPLACED, read=False),
    "results folder": File("*/attempt-1/results", ("mkdir", "fsyncdir", "rename"), read=False),
    "worker log": File("*/workers/*.log", ("create",), read=False, played=False),
    "generated data": File("*/prepare/*.h5*", ("create", "write", "flush"), played=False),
}

# A fault here makes a command, or a whole task, begin again: so a real run meets it less often.
FEW_TIMES = {"owner": 1, "generated data": 2, "worker log": 2, "results": 2, "results folder": 2}

ALL_WRITES = frozenset({*ONCE, *REPLACED, "mkdir", "fsyncdir"})
NEED_ROOM = frozenset({"create", "write", "link", "mkdir"})
NEED_CHANGE = NEED_ROOM | {"rename", "unlink"}
LOOKS = ("lookup", "open", "read")


@dataclass(frozen=True)
class Fault:
    """A kind of fault: the calls that it is for, and what happens to them."""

    calls: frozenset[str]
    what: Rule
    words: str | None  # what the run says while it waits; None: need not say anything
    times: int = 7
    reads: bool = False

    def rules(self, file: File, times: int | None = None) -> list[Rule]:
        """Return the fault's rules for a kind of file; none where it has no such calls."""
        calls = [op for op in file.calls if op in self.calls]
        if self.reads and file.read:
            calls += LOOKS
        rest = {"path": file.path, "times": times or self.times, **self.what}
        return [{"op": op, **rest} for op in calls]


EIO, ESTALE = "the disk reports input/output errors", "the volume has lost the file (stale handle)"
HANGS = "hangs and comes back"


def _fails(calls: frozenset[str], name: str, words: str) -> Fault:
    return Fault(calls, {"errno": name}, words)


FAULTS = {
    "EIO": _fails(ALL_WRITES, "EIO", EIO),
    "ESTALE": _fails(ALL_WRITES, "ESTALE", ESTALE),
    "ENOSPC": _fails(NEED_ROOM, "ENOSPC", "the disk is full"),
    "EDQUOT": _fails(NEED_ROOM, "EDQUOT", "the disk quota is used up"),
    "EROFS": _fails(NEED_CHANGE, "EROFS", "the disk has become read-only"),
    "ENOSPC at the close": _fails(frozenset({"flush"}), "ENOSPC", "the disk is full"),
    "EIO of a read": Fault(frozenset(), {"errno": "EIO"}, EIO, reads=True),
    "ESTALE of a read": Fault(frozenset(), {"errno": "ESTALE"}, ESTALE, reads=True),
    "slow": Fault(ALL_WRITES, {"delay": 0.02}, None, times=10),
    HANGS: Fault(ALL_WRITES, {"delay": 0.6}, "the volume does not answer", times=1, reads=True),
    "a write is done and says EIO": Fault(
        frozenset({"write"}), {"errno": "EIO", "after": True}, EIO
    ),
    "fsync says EIO": Fault(frozenset({"fsync", "fsyncdir"}), {"errno": "EIO"}, EIO),
    "a link is made and says EEXIST": Fault(
        frozenset({"link"}), {"errno": "EEXIST", "after": True}, None, times=3
    ),
    "a link is made and says EIO": Fault(
        frozenset({"link"}), {"errno": "EIO", "after": True}, None, times=3
    ),
    "a rename is done and says EIO": Fault(
        frozenset({"rename"}), {"errno": "EIO", "after": True}, None, times=7
    ),
    "a rename is done and says ENOENT": Fault(
        frozenset({"rename"}), {"errno": "ENOENT", "after": True}, None, times=3
    ),
    "EIO of a remove": _fails(frozenset({"unlink"}), "EIO", EIO),
    # Whoever tries again does not find the file, and takes that for what it is.
    "a remove is done and says EIO": Fault(
        frozenset({"unlink"}), {"errno": "EIO", "after": True}, EIO
    ),
    "a folder is made and says EEXIST": Fault(
        frozenset({"mkdir"}), {"errno": "EEXIST", "after": True}, None, times=2
    ),
}
# What a close says is only heard by whoever writes; a reader's close is met as well.
FLUSHED = tuple(name for name, file in FILES.items() if "mkdir" not in file.calls)


def rules_for(fault: str, file: str, times: int | None = None) -> list[Rule]:
    """Return the rules of one kind of fault for one kind of file; none where it cannot be."""
    kind = FILES[file]
    if FAULTS[fault].calls == {"flush"}:
        if file not in FLUSHED:
            return []
        kind = File(kind.path, ("flush",), read=False)
    return FAULTS[fault].rules(kind, times)


def unmet(volume: Volume, rules: list[Rule]) -> list[str]:
    """Return the rules of a volume that no call met, in words."""
    return [
        f"{rule['op']} of {rule['path']}"
        for rule, hits in zip(rules, volume.hits(), strict=True)
        if not hits
    ]
