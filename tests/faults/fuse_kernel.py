"""The kernel's side of a FUSE file system: mounting, requests and answers (linux/fuse.h, 7.31).

Spoken directly and not through libfuse: its high-level interface knows files by path, so a file
that is replaced while it is opened becomes ESTALE, which no local disk says and which would hide
among the faults that a test asked for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import subprocess
import threading
import traceback
from collections.abc import Callable
from typing import NamedTuple

import callers

MAX_WRITE = 256 * 1024
_PAGE = 4096
_HEADER = struct.Struct("<IIQQIIIHH")  # length, opcode, unique, node, uid, gid, pid, …
_ANSWER = struct.Struct("<IiQ")  # length, -errno, unique
_INIT = struct.Struct("<4I2H2I2HI28x")

(LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK) = range(1, 7)
(MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE, STATFS, RELEASE) = range(9, 19)
(FSYNC, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR) = (20, 25, 26, 27, 28, 29, 30)
(CREATE, INTERRUPT, DESTROY, BATCH_FORGET, RENAME2) = (35, 36, 38, 42, 45)
_UNANSWERED = {FORGET, BATCH_FORGET, INTERRUPT}

# What is asked of the kernel, where it has it: O_TRUNC comes with the open, parallel lookups and
# reads, writes of more than a page.
_ASYNC_READ, _ATOMIC_O_TRUNC, _BIG_WRITES, _PARALLEL_DIROPS, _MAX_PAGES = (
    1 << bit for bit in (0, 3, 5, 18, 22)
)
_WANTED = _ASYNC_READ | _ATOMIC_O_TRUNC | _BIG_WRITES | _PARALLEL_DIROPS | _MAX_PAGES

_INVALIDATE_INODE = 2


class Request(NamedTuple):
    """One call of the kernel. `body` is only good until it is answered."""

    op: int
    node: int
    pid: int
    body: memoryview

    def names(self, start: int) -> list[str]:
        """Return the names that end the body, behind `start` bytes."""
        text = bytes(self.body[start:]).split(b"\0")
        return [os.fsdecode(name) for name in text[:-1]]


def mount(mountpoint: str) -> int:
    """Mount a file system on `mountpoint` and return the device through which it is asked."""
    options = "rw,nosuid,nodev,fsname=faulty,subtype=faulty"
    if os.geteuid() == 0:
        options += ",allow_other"  # programs under test may run as somebody else
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run(
            ["fusermount3", "-o", options, "--", mountpoint],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            check=True,
        )
        _, handles, _, _ = socket.recv_fds(ours, 1, 1)
    os.set_inheritable(handles[0], False)
    return handles[0]


class Session:
    """Answers the kernel's requests until the file system is unmounted.

    As many threads as there are requests at once, and one more: a call that hangs holds up nobody.
    """

    def __init__(self, device: int, answer: Callable[[Request], bytes]) -> None:
        self._device = device
        self._answer = answer
        self._lock = threading.Lock()
        self._waiting = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Serve; return when the file system is gone."""
        self._one_more()
        self._over.wait()

    def invalidate(self, node: int) -> None:
        """Make the kernel ask for the attributes of `node` again."""
        body = struct.pack("<Qqq", node, -1, 0)
        header = _ANSWER.pack(_ANSWER.size + len(body), _INVALIDATE_INODE, 0)
        with contextlib.suppress(OSError):  # the kernel may have forgotten the node
            os.writev(self._device, [header, body])

    def _one_more(self) -> None:
        self._waiting += 1
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        buffer = memoryview(bytearray(MAX_WRITE + 2 * _PAGE))
        while True:
            try:
                size = os.readv(self._device, [buffer])
            except OSError as error:
                # A request can be withdrawn by a signal before it was read.
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                self._over.set()
                return
            with self._lock:
                self._waiting -= 1
                if self._waiting == 0:
                    self._one_more()
            self._handle(buffer[:size])
            with self._lock:
                self._waiting += 1

    def _handle(self, message: memoryview) -> None:
        _, op, unique, node, _, _, pid, _, _ = _HEADER.unpack_from(message)
        request = Request(op, node, pid, message[_HEADER.size :])
        failure, body = 0, b""
        callers.asking.thread = pid
        try:
            body = _greeting(request) if op == INIT else self._answer(request)
        except OSError as error:
            failure = error.errno or errno.EIO
        except Exception:
            traceback.print_exc()
            failure = errno.EIO
        if op in _UNANSWERED:
            return
        header = _ANSWER.pack(_ANSWER.size + len(body), -failure, unique)
        with contextlib.suppress(OSError):  # whoever asked may be gone
            os.writev(self._device, [header, body])


def _greeting(request: Request) -> bytes:
    _, minor, readahead, offered = struct.unpack_from("<4I", request.body)
    return _INIT.pack(
        *(7, min(minor, 31), readahead, offered & _WANTED),
        *(64, 48, MAX_WRITE, 1, MAX_WRITE // _PAGE, 0, 0),
    )
