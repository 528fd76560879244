"""What all operations of the faulty volume share: rules round each call, and answers' form."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import TypeVar

from fault_rules import Rule, Rules
from late_names import LateNames
from nodes import Node, Nodes

T = TypeVar("T")

_ATTRIBUTES = struct.Struct("<6Q10I")
NO_ATTRIBUTES = bytes(_ATTRIBUTES.size)


class Served:
    """A folder that is served through rules; names seen late and remembered if so wished."""

    def __init__(
        self, source: str, mountpoint: str, rules: Rules, see_late: float, cache: float
    ) -> None:
        self.nodes = Nodes(source)
        self.mountpoint = mountpoint
        self.rules = rules
        self.late = LateNames(see_late, source)
        self.cache = cache

    def play(self, op: str, path: str, call: Callable[[], T]) -> T:
        """Return `call()`, and do before and after it what the rules for it say."""
        return self.played(self.rules.met(op, path), call)

    def played(self, found: list[Rule], call: Callable[[], T]) -> T:
        """The same, for the rules `found` for it."""
        if not found:
            return call()
        self.rules.play(found, after=False)
        result = call()
        self.rules.play(found, after=True)
        return result

    def entry(self, parent: Node, name: str) -> bytes:
        """Return what the kernel is told of a name: the file's number and its attributes."""
        node, found = self.nodes.meet(parent, name)
        return self.timed(node.number) + attributes(found)

    def timed(self, number: int) -> bytes:
        """Return a file's number, and how long the kernel may remember the name and attributes."""
        seconds, rest = self._valid()
        return struct.pack("<4Q2I", number, 0, seconds, seconds, rest, rest)

    def aged(self, found: os.stat_result) -> bytes:
        """Return attributes, and how long the kernel may remember them."""
        return struct.pack("<QII", *self._valid(), 0) + attributes(found)

    def _valid(self) -> tuple[int, int]:
        return int(self.cache), int(self.cache % 1 * 1e9)

    def take(self, size: int) -> None:
        """Count `size` bytes more (less, where negative) where room is short."""
        if self.rules.room is not None:
            self.rules.room.take(size)

    def only_link(self, parent: Node, name: str) -> int:
        """Return the room that removing a name gives back, in bytes."""
        if self.rules.room is None:
            return 0
        try:
            found = os.stat(name, dir_fd=parent.handle, follow_symlinks=False)
        except FileNotFoundError:
            return 0
        return found.st_size if found.st_nlink == 1 else 0


def attributes(found: os.stat_result) -> bytes:
    """Return what stat() found, as the kernel reads it."""
    times = [divmod(ns, 10**9) for ns in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)]
    return _ATTRIBUTES.pack(
        *(found.st_ino, found.st_size, found.st_blocks),
        *(seconds for seconds, _ in times),
        *(rest for _, rest in times),
        *(found.st_mode, found.st_nlink, found.st_uid, found.st_gid),
        *(found.st_rdev & 0xFFFFFFFF, found.st_blksize, 0),
    )


def error(number: int) -> OSError:
    """Return the error to raise for an errno."""
    return OSError(number, os.strerror(number))
