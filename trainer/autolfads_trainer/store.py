"""The run directory: the only thing that controller and workers share. No torch.

Six rules make a run survive the death of anything at any instruction (docs/run-directory.md):
a file is complete before it has its name; what decides is created once, and read back; plans read
only what was decided; nothing that decides is changed; a worker is one life of one process;
and a reader opens no name before another file has announced it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from autolfads_trainer.records import (
    FORMAT,
    Assignment,
    End,
    Order,
    Outcome,
    Owner,
    Record,
    Run,
    Task,
    WorkerStatus,
)

MAX_JSON_BYTES = 4_000_000
_TRANSIENT = {errno.ESTALE, errno.EIO, errno.EINTR, errno.EAGAIN}
_TRIES = 5

T = TypeVar("T")
R = TypeVar("R", bound=Record)


class StoreError(RuntimeError):
    """A file of the run directory that is not what it must be. The message names it."""


def retried(call: Callable[[], T]) -> T:
    """Return `call()`, tried again when a shared volume says ESTALE or EIO, which often pass."""
    for attempt in range(1, _TRIES + 1):
        try:
            return call()
        except OSError as error:
            if error.errno not in _TRANSIENT or attempt == _TRIES:
                raise
            time.sleep(0.02 * 2**attempt)
    raise AssertionError("not reached")


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary(path: Path) -> Path:
    """Return a name beside `path` that nobody else uses and no reader takes for a finished file."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def make_folder(folder: Path) -> None:
    """Create `folder` and its parents, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` so that `path` holds all of it or what was there before."""
    write_with(path, lambda name: name.write_bytes(content))


def write_with(path: Path, writer: Callable[[Path], object]) -> None:
    """Like `write_bytes`, for a `writer` that wants a file name (h5py, torch, zipfile)."""
    partial = temporary(path)
    try:
        writer(partial)
        sync_file(partial)
        partial.replace(path)
    finally:
        _forget(partial)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, record: Record) -> None:
    """Put `record` in the place of what `path` held."""
    retried(lambda: write_bytes(path, _encode(record)))


def create_once(path: Path, record: R) -> R:
    """Create `path` with `record` unless it exists, and return what it then holds: that counts.

    Whatever the calls returned (a link can succeed and report an error), the name is read back.
    """
    partial = temporary(path)
    try:
        partial.write_bytes(_encode(record))
        sync_file(partial)
        try:
            retried(lambda: _link(partial, path))
        except OSError as error:
            raise StoreError(f"{path}: cannot be created: {error.strerror}") from error
    finally:
        _forget(partial)
    retried(lambda: sync_folder(path.parent))
    return read(path, type(record))


def _link(partial: Path, path: Path) -> None:
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    except OSError:
        # The name may exist all the same: made by another, or by this very call.
        if not path.exists():
            raise


def _forget(partial: Path) -> None:
    """Remove a temporary file. What went wrong before is to be told, not that this fails too."""
    with contextlib.suppress(OSError):
        partial.unlink()


def _encode(record: Record) -> bytes:
    kind = type(record).__name__
    try:
        content = record.model_dump_json(by_alias=True, indent=1).encode() + b"\n"
    except PydanticSerializationError as error:  # text that is not Unicode, such as a file's name
        raise StoreError(f"{kind}: cannot be written: {error}") from None
    if len(content) > MAX_JSON_BYTES:  # nobody could read it
        raise StoreError(f"{kind}: would have more than {MAX_JSON_BYTES} bytes")
    return content


def read(path: Path, kind: type[R]) -> R:
    """Read one record. Raises `StoreError` naming the file, `FileNotFoundError` when absent."""

    def load() -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_JSON_BYTES + 1)

    content = retried(load)
    if len(content) > MAX_JSON_BYTES:
        raise StoreError(f"{path}: has more than {MAX_JSON_BYTES} bytes")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        newer = _newer_format(content)
        if newer is not None:
            raise StoreError(
                f"{path}: was written by a newer version (format {newer}; this one reads {FORMAT})"
            ) from None
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise StoreError(f"{path}: {where}: {first['msg']}") from None


def _newer_format(content: bytes) -> int | None:
    try:
        found = json.loads(content).get("format")
    except (ValueError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, int) and found > FORMAT else None


def read_if_there(path: Path, kind: type[R]) -> R | None:
    """Read one record, or return None when there is no such file."""
    try:
        return read(path, kind)
    except FileNotFoundError:
        return None


class RunFolder:
    """Names and records of one run directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, relative: str) -> Path:
        """Return the path of a name that a record gives. Raises `StoreError` if it leads out."""
        name = PurePosixPath(relative)
        if not name.parts or name.is_absolute() or ".." in name.parts or "\0" in relative:
            raise StoreError(f"{self.root}: a record names '{relative}', outside of the folder")
        return self.root / name

    # Names. Members have three digits and generations too, so that listings read in order.
    @staticmethod
    def leg_folder(member: int, generation: int) -> str:
        """Return the folder of one member in one generation."""
        return f"members/{member:03d}/gen-{generation:03d}"

    @staticmethod
    def attempt_folder(parent: str, attempt: int) -> str:
        """Return the folder of an attempt at `prepare`, `export` or a leg."""
        return f"{parent}/attempt-{attempt}"

    @staticmethod
    def checkpoint_in(attempt: str) -> str:
        """Return the checkpoint of the attempt in the folder `attempt`."""
        return f"{attempt}/checkpoint.ckpt"

    @property
    def results(self) -> Path:
        """The published results."""
        return self.root / "results"

    # The run.
    def owner(self) -> Owner | None:
        """Whose folder this is; None: nobody's yet."""
        return read_if_there(self.root / "owner.json", Owner)

    def claim(self, owner: Owner) -> Owner:
        """Make the folder `owner`'s, unless it has one, and return whose it is."""
        make_folder(self.root)
        return create_once(self.root / "owner.json", owner)

    def run(self) -> Run | None:
        """What was frozen; None before `prepare` has finished."""
        return read_if_there(self.root / "run.json", Run)

    def freeze(self, run: Run) -> Run:
        """Freeze the run, once."""
        return create_once(self.root / "run.json", run)

    def end(self) -> End | None:
        """How the run ended; None while it goes on."""
        return read_if_there(self.root / "end.json", End)

    def finish(self, end: End) -> End:
        """Write how the run ended, once."""
        return create_once(self.root / "end.json", end)

    # Decisions.
    def give_order(self, order: Order) -> Order:
        """Write an order, once, and return the one that counts."""
        folder = self.path(self.leg_folder(order.member, order.generation))
        make_folder(folder)
        return create_once(folder / "order.json", order)

    def order(self, member: int, generation: int) -> Order | None:
        """Read an order."""
        return read_if_there(self.path(self.leg_folder(member, generation)) / "order.json", Order)

    def order_at(self, relative: str) -> Order:
        """Read the order that a task names."""
        return read(self.path(relative), Order)

    def give_task(self, task: Task) -> Task:
        """Write a task into its attempt's folder, once, and return the one that counts."""
        make_folder(self.path(task.folder))
        return create_once(self.path(task.folder) / "task.json", task)

    def task(self, folder: str) -> Task | None:
        """Read the task of an attempt's folder."""
        return read_if_there(self.path(folder) / "task.json", Task)

    def settle(self, folder: str, outcome: Outcome) -> Outcome:
        """Write the outcome of an attempt, once, and return the one that counts."""
        return create_once(self.path(folder) / "outcome.json", outcome)

    def outcome(self, folder: str) -> Outcome | None:
        """Read the outcome of an attempt."""
        return read_if_there(self.path(folder) / "outcome.json", Outcome)

    def attempts(self, parent: str) -> Iterator[tuple[Task, Outcome | None]]:
        """Walk the attempts below `parent` in order: used at a controller's start only."""
        number = 1
        while (task := self.task(self.attempt_folder(parent, number))) is not None:
            yield task, self.outcome(task.folder)
            number += 1

    # Workers.
    def assign(self, life: str, assignment: Assignment) -> None:
        """Tell a worker what to do now."""
        make_folder(self.root / "workers")
        replace(self.root / "workers" / f"{life}.json", assignment)

    def assignment(self, life: str) -> Assignment | None:
        """Read what a worker is to do; None until the controller has written it."""
        return read_if_there(self.root / "workers" / f"{life}.json", Assignment)

    def report(self, life: str, status: WorkerStatus) -> None:
        """Say what this worker does. Not synced: it is worthless after a power cut anyway."""
        path = self.root / "workers" / f"{life}.status.json"
        partial = temporary(path)
        try:
            partial.write_bytes(_encode(status))
            partial.replace(path)
        finally:
            _forget(partial)

    def status(self, life: str) -> WorkerStatus | None:
        """Read what a worker does; None until it has written it.

        One that was cut by a power failure is no status either: it decides nothing.
        """
        try:
            return read_if_there(self.root / "workers" / f"{life}.status.json", WorkerStatus)
        except StoreError:
            return None

    # Publishing and tidying, by the controller alone.
    def publish(self, folder: str) -> None:
        """Make the results written into an export attempt's folder the results of the run."""
        made = self.path(folder) / "results"
        if made.is_dir() and not self.results.exists():
            made.rename(self.results)
            sync_folder(self.root)
        if not self.results.is_dir():
            raise StoreError(f"{made}: there are no results to publish")

    def remove(self, relative: str) -> None:
        """Remove a file or a folder below the run directory; it may be gone already."""
        path = self.path(relative)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def check_volume(root: Path) -> None:
    """Try in `root` what the run directory needs. Raises `StoreError` naming what is missing."""
    first = temporary(root / "trial")
    second = temporary(root / "trial")
    needs: tuple[tuple[str, Callable[[], object]], ...] = (
        ("create a folder", lambda: make_folder(root)),
        ("write and fsync", lambda: _write_and_sync(first)),
        ("hard link", lambda: os.link(first, second)),
        ("exclusive creation", lambda: _refuses_to_overwrite(first, second)),
        ("rename", lambda: _replaces(first, second)),
        ("fsync of a folder", lambda: sync_folder(root)),
    )
    try:
        for need, trial in needs:
            try:
                trial()
            except OSError as error:
                raise StoreError(
                    f"{root}: this volume cannot do what a run needs: {need} ({error.strerror})"
                ) from None
    finally:
        _forget(first)
        _forget(second)


def _write_and_sync(path: Path) -> None:
    path.write_bytes(b"trial")
    sync_file(path)


def _replaces(first: Path, second: Path) -> None:
    # Not as they are: renaming one link of a file to another is defined to do nothing at all.
    second.unlink()
    second.write_bytes(b"another")
    first.replace(second)
    if first.exists() or second.read_bytes() != b"trial":
        raise OSError(errno.ENOTSUP, "the renamed file did not replace the other")


def _refuses_to_overwrite(first: Path, second: Path) -> None:
    try:
        os.link(first, second)
    except FileExistsError:
        return
    raise OSError(errno.ENOTSUP, "a second hard link replaced the first")
