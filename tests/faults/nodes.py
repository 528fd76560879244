"""The files that the kernel knows of a volume, each held by a handle: names may come and go."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

ROOT = 1


@dataclass(eq=False)
class Node:
    """A file or folder of the source, and the name under which it was last met."""

    number: int
    handle: int  # O_PATH: it stays the same file, renamed or removed
    key: tuple[int, int]  # device and inode: hard links are one node
    parent: Node | None
    name: str
    lookups: int = 0

    @property
    def path(self) -> str:
        """Where it is, relative to the volume."""
        if self.parent is None:
            return ""
        return self.parent.child(self.name)

    def child(self, name: str) -> str:
        """Return the path of a name in this folder."""
        return f"{self.path}/{name}" if self.parent else name

    @property
    def itself(self) -> str:
        """A name that leads to this very file."""
        return f"/proc/self/fd/{self.handle}"


class Nodes:
    """All of them, by the number that the kernel calls them by."""

    def __init__(self, source: str) -> None:
        self._lock = threading.Lock()
        handle = os.open(source, os.O_PATH | os.O_DIRECTORY)
        root = Node(ROOT, handle, _key(os.fstat(handle)), None, "", lookups=1)
        self._nodes = {ROOT: root}
        self._by_key = {root.key: root}
        self._last = ROOT

    def __getitem__(self, number: int) -> Node:
        return self._nodes[number]

    def meet(self, parent: Node, name: str) -> tuple[Node, os.stat_result]:
        """Find a name in the source; the kernel is told of it and forgets it again one day."""
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent.handle)
        found = os.fstat(handle)
        with self._lock:
            node = self._by_key.get(_key(found))
            if node is not None:
                os.close(handle)
                if node.number != ROOT:
                    node.parent, node.name = parent, name
            else:
                self._last += 1
                node = Node(self._last, handle, _key(found), parent, name)
                self._nodes[node.number] = self._by_key[node.key] = node
            node.lookups += 1
        return node, found

    def renamed(self, parent: Node, name: str) -> None:
        """Note that what was renamed is now here: open files are told by their present name."""
        try:
            key = _key(os.stat(name, dir_fd=parent.handle, follow_symlinks=False))
        except FileNotFoundError:  # renamed once more, or removed
            return
        with self._lock:
            node = self._by_key.get(key)
            if node is not None and node.number != ROOT:
                node.parent, node.name = parent, name

    def forget(self, number: int, lookups: int) -> None:
        """Let go what the kernel no longer knows."""
        with self._lock:
            node = self._nodes.get(number)
            if node is None or number == ROOT:
                return
            node.lookups -= lookups
            if node.lookups <= 0:
                del self._nodes[number], self._by_key[node.key]
                os.close(node.handle)


def _key(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
