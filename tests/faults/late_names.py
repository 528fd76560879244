"""Names that one mount of a shared volume sees later than the other, as clients of NFS do."""

from __future__ import annotations

import os
import threading
import time


class LateNames:
    """Which names are not seen yet.

    A name is late when its file was made or linked less than `seconds` before this mount first
    meets it; it is seen so many seconds after that. Once seen it stays, whatever file it then
    names: what an open of it finds is always the newest (close-to-open).
    """

    def __init__(self, seconds: float, source: str) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._late: dict[str, float] = {}
        if seconds:
            for folder, folders, files in os.walk(source):
                inside = os.path.relpath(folder, source)
                here = "" if inside == "." else inside + "/"
                self._seen.update(here + name for name in (*folders, *files))

    def hides(self, path: str, changed: float) -> bool:
        """Whether `path` is not to be seen now; `changed`: its file's ctime in seconds."""
        if not self._seconds or path in self._seen:
            return False
        now = time.monotonic()
        with self._lock:
            if path not in self._late:
                is_new = time.time() - changed < self._seconds
                self._late[path] = now + self._seconds if is_new else now
            if now < self._late[path]:
                return True
        self.show(path)
        return False

    def show(self, path: str) -> None:
        """See `path` from now on: this mount made it itself, for example."""
        if self._seconds:
            with self._lock:
                self._late.pop(path, None)
                self._seen.add(path)

    def forget(self, path: str) -> None:
        """Note that the name is gone: another file of that name is a new one."""
        if self._seconds:
            with self._lock:
                self._late.pop(path, None)
                self._seen.discard(path)
