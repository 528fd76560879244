"""The operations of the faulty volume that find, make and change names."""

from __future__ import annotations

import errno
import os
import shutil
import struct
from collections.abc import Callable
from typing import TypeVar

import callers
from fault_rules import Rule
from fuse_kernel import Request
from served import NO_ATTRIBUTES, Served, error

T = TypeVar("T")


class ServedNames(Served):
    """Each takes a request of the kernel and returns the body of the answer; raises `OSError`."""

    def lookup(self, request: Request) -> bytes:
        """Find a name in a folder."""
        parent, name = self.nodes[request.node], request.names(0)[0]
        path = parent.child(name)
        if self.rules.overwrite():
            making = callers.making(request.pid, f"{self.mountpoint}/{path}")
            if making and self.rules.overwrite(making, path):
                raise error(errno.ENOENT)

        def is_seen() -> bool:
            try:
                found = os.stat(name, dir_fd=parent.handle, follow_symlinks=False)
            except FileNotFoundError:
                self.late.forget(path)
                return False
            return not self.late.hides(path, found.st_ctime)

        if self.play("lookup", path, is_seen):
            try:
                return self.entry(parent, name)
            except FileNotFoundError:  # removed just now
                pass
        if not self.cache:
            raise error(errno.ENOENT)
        return self.timed(0) + NO_ATTRIBUTES  # the kernel remembers that it is missing

    def forget(self, request: Request) -> bytes:
        """Forget a file that the kernel has no use for any more."""
        self.nodes.forget(request.node, *struct.unpack_from("<Q", request.body))
        return b""

    def batch_forget(self, request: Request) -> bytes:
        """Forget several."""
        (count,) = struct.unpack_from("<I", request.body)
        for number in range(count):
            self.nodes.forget(*struct.unpack_from("<QQ", request.body, 8 + 16 * number))
        return b""

    def named(self, found: list[Rule], path: str, call: Callable[[], T]) -> T:
        """Make or change a name: this mount has then seen it, late or not, as NFS has."""
        try:
            return self.played(found, call)
        finally:
            self.late.show(path)

    def mkdir(self, request: Request) -> bytes:
        """Make a folder."""
        mode, _ = struct.unpack_from("<II", request.body)
        parent, name = self.nodes[request.node], request.names(8)[0]
        path = parent.child(name)
        found = self.rules.met("mkdir", path)
        self.named(found, path, lambda: os.mkdir(name, mode, dir_fd=parent.handle))
        return self.entry(parent, name)

    def symlink(self, request: Request) -> bytes:
        """Make a symbolic link."""
        name, target = request.names(0)
        parent = self.nodes[request.node]
        path = parent.child(name)
        found = self.rules.met("symlink", path)
        self.named(found, path, lambda: os.symlink(target, name, dir_fd=parent.handle))
        return self.entry(parent, name)

    def readlink(self, request: Request) -> bytes:
        """Tell where a symbolic link leads."""
        node = self.nodes[request.node]
        target = self.play("readlink", node.path, lambda: os.readlink("", dir_fd=node.handle))
        return os.fsencode(target)

    def link(self, request: Request) -> bytes:
        """Give a file a second name."""
        source = self.nodes[struct.unpack_from("<Q", request.body)[0]]
        parent, name = self.nodes[request.node], request.names(8)[0]
        path = parent.child(name)
        found = self.rules.met("link", path, source.path)

        def link() -> None:
            if any(rule.copies for rule in found):
                shutil.copy2(source.itself, f"{parent.itself}/{name}")
                return
            try:
                os.link(source.itself, name, dst_dir_fd=parent.handle, follow_symlinks=True)
            except FileExistsError:
                if not any(rule.overwrites for rule in found):
                    raise
                os.unlink(name, dir_fd=parent.handle)
                os.link(source.itself, name, dst_dir_fd=parent.handle, follow_symlinks=True)

        self.named(found, path, link)
        return self.entry(parent, name)

    def unlink(self, request: Request) -> bytes:
        """Remove a file's name."""
        parent, name = self.nodes[request.node], request.names(0)[0]

        def unlink() -> None:
            freed = self.only_link(parent, name)
            os.unlink(name, dir_fd=parent.handle)
            self.take(-freed)
            self.late.forget(parent.child(name))

        self.play("unlink", parent.child(name), unlink)
        return b""

    def rmdir(self, request: Request) -> bytes:
        """Remove an empty folder."""
        parent, name = self.nodes[request.node], request.names(0)[0]

        def rmdir() -> None:
            os.rmdir(name, dir_fd=parent.handle)
            self.late.forget(parent.child(name))

        self.play("rmdir", parent.child(name), rmdir)
        return b""

    def rename(self, request: Request) -> bytes:
        """Rename, over what is there."""
        return self._rename(request, request.names(8))

    def rename2(self, request: Request) -> bytes:
        """Rename with conditions, which this volume does not know."""
        if struct.unpack_from("<I", request.body, 8)[0]:
            raise error(errno.EINVAL)
        return self._rename(request, request.names(16))

    def _rename(self, request: Request, names: list[str]) -> bytes:
        old, new = names
        source = self.nodes[request.node]
        target = self.nodes[struct.unpack_from("<Q", request.body)[0]]
        before, path = source.child(old), target.child(new)
        found = self.rules.met("rename", path, before)

        def rename() -> None:
            if any(rule.copies for rule in found):
                shutil.copy2(f"{source.itself}/{old}", f"{target.itself}/{new}")
                return
            freed = self.only_link(target, new)
            os.rename(old, new, src_dir_fd=source.handle, dst_dir_fd=target.handle)
            self.take(-freed)
            self.nodes.renamed(target, new)
            self.late.forget(before)

        self.named(found, path, rename)
        return b""
