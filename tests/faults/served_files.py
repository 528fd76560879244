"""The operations of the faulty volume on files and folders that are open, and on their state."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path

from fuse_kernel import Request
from nodes import Node
from served import Served, error

_DIRECT_IO = 1
_SET_MODE, _SET_UID, _SET_GID, _SET_SIZE, _SET_ATIME, _SET_MTIME = (1 << bit for bit in range(6))
_NOW = 1 << 7 | 1 << 8
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
_NOT_AGAIN = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW  # the kernel has seen to them
_ENTRY = struct.Struct("<QQII")


class ServedFiles(Served):
    """Each takes a request of the kernel and returns the body of the answer; raises `OSError`."""

    invalidate: Callable[[int], None]
    listings: dict[int, list[tuple[int, int, bytes]]]

    def getattr(self, request: Request) -> bytes:
        """Tell size, times and so on."""
        node = self.nodes[request.node]
        return self.aged(self.play("getattr", node.path, lambda: os.fstat(node.handle)))

    def setattr(self, request: Request) -> bytes:
        """Change size, mode, owner or times."""
        valid, _, _, size, _, atime, mtime, _, *rest = struct.unpack_from("<II6Q8I", request.body)
        atime_ns, mtime_ns = atime * 10**9 + rest[0], mtime * 10**9 + rest[1]
        mode, uid, gid = rest[3], rest[5], rest[6]
        node = self.nodes[request.node]

        def change() -> None:
            if valid & _SET_MODE:
                Path(node.itself).chmod(mode)
            if valid & (_SET_UID | _SET_GID):
                owner = uid if valid & _SET_UID else -1
                os.chown(node.itself, owner, gid if valid & _SET_GID else -1)
            if valid & _SET_SIZE:
                self.take(size - os.fstat(node.handle).st_size)
                os.truncate(node.itself, size)
            elif valid & _NOW:
                os.utime(node.itself)
            elif valid & (_SET_ATIME | _SET_MTIME):
                old = os.fstat(node.handle)
                times = (
                    atime_ns if valid & _SET_ATIME else old.st_atime_ns,
                    mtime_ns if valid & _SET_MTIME else old.st_mtime_ns,
                )
                os.utime(node.itself, ns=times)

        self.play("truncate" if valid & _SET_SIZE else "setattr", node.path, change)
        return self.aged(os.fstat(node.handle))

    def statfs(self, request: Request) -> bytes:
        """Tell how much room there is."""
        node = self.nodes[request.node]
        found = self.play("statfs", node.path, lambda: os.fstatvfs(node.handle))
        free, available = found.f_bfree, found.f_bavail
        if self.rules.room is not None:
            free = available = min(max(self.rules.room.free, 0) // found.f_frsize, available)
        sizes = (found.f_bsize, found.f_namemax, found.f_frsize)
        files = (found.f_files, found.f_ffree)
        return struct.pack("<5Q3I28x", found.f_blocks, free, available, *files, *sizes)

    # Files.
    def open(self, request: Request) -> bytes:
        """Open a file."""
        flags, _ = struct.unpack_from("<II", request.body)
        node = self.nodes[request.node]
        self._refuse_what_was_replaced(node)

        def opened() -> int:
            if flags & os.O_TRUNC:
                self.take(-os.fstat(node.handle).st_size)
            return os.open(node.itself, flags & ~_NOT_AGAIN)

        return self._opened("open for writing" if flags & _WRITING else "open", node.path, opened)

    def _refuse_what_was_replaced(self, node: Node) -> None:
        """Make the kernel look again where it remembers names: an open finds the newest file."""
        if not self.cache or node.parent is None:
            return
        self.invalidate(node.number)
        now = os.stat(node.name, dir_fd=node.parent.handle, follow_symlinks=False)
        if (now.st_dev, now.st_ino) != node.key:
            raise error(errno.ESTALE)  # the kernel then asks for the name anew

    def create(self, request: Request) -> bytes:
        """Make a file and open it."""
        flags, mode = struct.unpack_from("<II", request.body)
        parent, name = self.nodes[request.node], request.names(16)[0]
        path = parent.child(name)
        flags = flags | os.O_CREAT | os.O_NOFOLLOW
        if self.rules.overwrite("create", path):
            flags &= ~os.O_EXCL
        try:
            answer = self._opened(
                "create", path, lambda: os.open(name, flags, mode, dir_fd=parent.handle)
            )
        finally:
            self.late.show(path)
        return self.entry(parent, name) + answer

    def _opened(self, op: str, path: str, call: Callable[[], int]) -> bytes:
        made: list[int] = []
        try:
            self.play(op, path, lambda: made.append(call()))
        except OSError:
            for handle in made:  # a rule that fails after the call
                os.close(handle)
            raise
        return struct.pack("<QII", made[0], _DIRECT_IO, 0)

    def read(self, request: Request) -> bytes:
        """Read from an open file."""
        handle, offset, size = _extent(request)
        path = self.nodes[request.node].path
        return self.play("read", path, lambda: os.pread(handle, size, offset))

    def write(self, request: Request) -> bytes:
        """Write to an open file."""
        handle, offset, size = _extent(request)
        content = request.body[40 : 40 + size]
        path = self.nodes[request.node].path
        found = self.rules.met("write", path)

        def write() -> int:
            if any(rule.loses for rule in found):
                return size
            self.take(max(0, offset + size - os.fstat(handle).st_size))
            return os.pwrite(handle, content, offset)

        return struct.pack("<II", self.played(found, write), 0)

    def flush(self, request: Request) -> bytes:
        """Hear that a handle of the file was closed, which may tell of an error."""
        self.play("flush", self.nodes[request.node].path, lambda: None)
        return b""

    def fsync(self, request: Request) -> bytes:
        """Make a file durable."""
        (handle,) = struct.unpack_from("<Q", request.body)
        self.play("fsync", self.nodes[request.node].path, lambda: os.fsync(handle))
        return b""

    def release(self, request: Request) -> bytes:
        """Close a file: nobody hears of an error any more."""
        os.close(*struct.unpack_from("<Q", request.body))
        return b""

    # Folders.
    def opendir(self, request: Request) -> bytes:
        """Open a folder."""
        node = self.nodes[request.node]
        opened = lambda: os.open(node.itself, os.O_RDONLY | os.O_DIRECTORY)  # noqa: E731
        return self._opened("opendir", node.path, opened)

    def readdir(self, request: Request) -> bytes:
        """List a folder, from where the last listing ended."""
        handle, offset, size = _extent(request)
        node = self.nodes[request.node]
        if offset == 0:
            self.listings[handle] = self.play("readdir", node.path, lambda: self._listed(node))
        content = b""
        for position, (inode, kind, name) in enumerate(self.listings[handle][offset:], offset + 1):
            entry = _ENTRY.pack(inode, position, len(name), kind) + name
            entry += bytes(-len(entry) % 8)
            if len(content) + len(entry) > size:
                break
            content += entry
        return content

    def _listed(self, node: Node) -> list[tuple[int, int, bytes]]:
        found = []
        for file in Path(node.itself).iterdir():
            try:
                state = file.lstat()
            except FileNotFoundError:  # removed just now
                continue
            if not self.late.hides(node.child(file.name), state.st_ctime):
                found.append((state.st_ino, state.st_mode >> 12, os.fsencode(file.name)))
        return found

    def fsyncdir(self, request: Request) -> bytes:
        """Make a folder's names durable."""
        (handle,) = struct.unpack_from("<Q", request.body)
        self.play("fsyncdir", self.nodes[request.node].path, lambda: os.fsync(handle))
        return b""

    def releasedir(self, request: Request) -> bytes:
        """Close a folder."""
        (handle,) = struct.unpack_from("<Q", request.body)
        self.listings.pop(handle, None)
        os.close(handle)
        return b""


def _extent(request: Request) -> tuple[int, int, int]:
    """Return which handle, from where and how much is to be read or written."""
    handle, offset, size = struct.unpack_from("<QQI", request.body)
    return handle, offset, size
