"""What a faulty volume is to do wrong: rules, and the log of the calls that met one.

A rule is a JSON object: `op` (an operation, or a group of them below) and, if given, `path` (a glob
if it has one of `*?[`, else a part of the path; relative to the volume) say which calls it is for.
What happens to them, any of:

    errno       the call fails with this, for example "EIO"
    delay       it takes so many seconds longer
    hang        it does not come back until the rule is taken away
    after       all that once the call has been carried out: a link that succeeds and says EEXIST
    overwrites  (link, create) a name that exists is taken: no exclusive creation
    copies      (link, rename) the new name is a copy, and the old name stays
    loses       (write) what is written is not there
    times       only the first so many calls; default: all

A rule with none of them only writes its calls into the log.
`{"op": "full", "free": bytes}` is a disk that has so much room left and says so.
"""

from __future__ import annotations

import errno
import fnmatch
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import callers

GROUPS: dict[str, frozenset[str]] = {
    "stat": frozenset({"lookup", "getattr"}),
    "writes": frozenset({"create", "write", "fsync", "link", "rename", "unlink", "mkdir"}),
    # What needs room: these fail with ENOSPC, while a file can still be removed.
    "growth": frozenset({"create", "write", "link", "mkdir", "symlink"}),
    # What a volume that is mounted read-only refuses with EROFS.
    "changes": frozenset(
        {
            *("create", "open for writing", "write", "truncate", "setattr", "link", "symlink"),
            *("rename", "unlink", "mkdir", "rmdir"),
        }
    ),
}
_READS = {"lookup", "getattr", "readlink", "opendir", "readdir", "open", "read", "statfs"}
_SYNCS = {"flush", "fsync", "fsyncdir"}
OPS = frozenset(_READS | _SYNCS | GROUPS["changes"])
_KEYS = {"op", "path", "errno", "delay", "hang", "after", "overwrites", "copies", "loses", "times"}
_POLL_SECONDS = 0.01


class Rule:
    """One rule. Raises `ValueError` where it is none: a fault with a slip in it never happens."""

    def __init__(self, number: int, given: dict[str, Any]) -> None:
        self.number, self.given = number, given
        if unknown := set(given) - _KEYS:
            raise ValueError(f"{given}: no such key: {sorted(unknown)}")
        op = given.get("op")
        if op != "*" and op not in OPS and op not in GROUPS:
            raise ValueError(f"{given}: no such operation")
        self.ops = OPS if op == "*" else GROUPS.get(op, frozenset({op}))
        if op == "open":
            self.ops |= {"open for writing"}
        name = given.get("errno")
        if name is not None and not hasattr(errno, name):
            raise ValueError(f"{given}: no such error")
        self.errno: int | None = name and getattr(errno, name)
        self.path: str = given.get("path", "")
        self.is_glob = any(letter in self.path for letter in "*?[")
        self.delay: float = given.get("delay", 0)
        self.hang, self.after = bool(given.get("hang")), bool(given.get("after"))
        self.overwrites, self.copies = bool(given.get("overwrites")), bool(given.get("copies"))
        self.loses = bool(given.get("loses"))
        self.left: float = given.get("times", float("inf"))

    def is_for(self, op: str, path: str) -> bool:
        """Whether a call of `op` on `path` meets this rule."""
        if op not in self.ops or self.left <= 0:
            return False
        return fnmatch.fnmatchcase(path, self.path) if self.is_glob else self.path in path


class Room:
    """What is left on a disk that is nearly full, by what was written since."""

    def __init__(self, free: int) -> None:
        self.free = free
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Take `size` bytes; give back where negative. Raises `OSError` ENOSPC."""
        with self._lock:
            if size > max(self.free, 0):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.free -= size


def read_rules(given: list[dict[str, Any]]) -> tuple[list[Rule], Room | None]:
    """Make rules of JSON. Raises `ValueError`."""
    rules, room = [], None
    for number, one in enumerate(given):
        if one.get("op") == "full":
            room = Room(one["free"])
        else:
            rules.append(Rule(number, one))
    return rules, room


class Rules:
    """The rules of a file, which may be replaced at any time: they are followed at once.

    `FILE.log` tells in JSON lines which version of the file is followed and which calls met a rule.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._rules: list[Rule] = []
        self._version = 0
        self._seen: tuple[int, int] | None = None
        self.room: Room | None = None
        self._log = os.open(f"{file}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def follow(self) -> None:
        """Look for new rules, for ever: so that a call, which does not, costs nothing."""
        while True:
            self.refresh()
            time.sleep(_POLL_SECONDS)

    def refresh(self) -> None:
        """Read the rules again if they have changed."""
        try:
            now = self._file.stat()
        except FileNotFoundError:
            return
        if self._seen == (now.st_mtime_ns, now.st_ino):
            return
        self._seen = (now.st_mtime_ns, now.st_ino)
        said: dict[str, Any] = {}
        try:
            content = json.loads(self._file.read_text())
            rules, room = read_rules(content["faults"])
        except (ValueError, KeyError, TypeError) as error:
            said["error"] = repr(error)
        else:
            with self._changed:
                self._rules, self.room, self._version = rules, room, content["version"]
                self._changed.notify_all()
            said["version"] = self._version
        self._say(said)

    def met(self, op: str, path: str, other: str = "") -> list[Rule]:
        """Return the rules for a call, which counts as one of their `times`."""
        if not self._rules:
            return []
        found = []
        with self._changed:
            for rule in self._rules:
                if rule.is_for(op, path) or (other and rule.is_for(op, other)):
                    rule.left -= 1
                    found.append(rule)
                    self._say(
                        {"version": self._version, "rule": rule.number, "op": op, "path": path}
                    )
        return found

    def overwrite(self, op: str = "", path: str = "") -> bool:
        """Whether an `op` that makes the name `path` (any, where not given) takes one that is."""
        return any(
            rule.overwrites and (not op or rule.is_for(op, path)) for rule in list(self._rules)
        )

    def play(self, found: list[Rule], *, after: bool) -> None:
        """Do what the rules for before, or after, the call say."""
        for rule in found:
            if rule.after != after:
                continue
            time.sleep(rule.delay)
            if rule.hang:
                self._wait_until_gone(rule)
            if rule.errno is not None:
                raise OSError(rule.errno, os.strerror(rule.errno))

    def _wait_until_gone(self, rule: Rule) -> None:
        def is_gone() -> bool:
            return all(rule.given != other.given for other in self._rules)

        with self._changed:
            while not self._changed.wait_for(is_gone, 0.05):
                if callers.is_dying():
                    raise OSError(errno.EINTR, os.strerror(errno.EINTR))

    def _say(self, line: dict[str, Any]) -> None:
        os.write(self._log, json.dumps(line).encode() + b"\n")
