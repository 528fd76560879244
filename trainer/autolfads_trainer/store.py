"""The run directory: the only thing that controller and workers share. No torch.

Six rules make a run survive the death of anything at any instruction (docs/run-directory.md):
a file is complete before it has its name; what decides is created once, and read back; plans read
only what was decided; nothing that decides is changed; a worker is one life of one process;
and a reader opens no name before another file has announced it.

`disk.py` has the calls, this file the names and the records. Who writes here is not trusted with
other folders of the volume: what is read, written or removed is reached through no link.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from autolfads_trainer import disk
from autolfads_trainer.disk import create_exclusively, make_folder, read_bytes
from autolfads_trainer.disk_errors import (
    NO_PLAIN_FILE,
    NotVisibleYetError,
    StoreError,
    retried,
)
from autolfads_trainer.publishing import publish
from autolfads_trainer.records import (
    NEWEST_FORMAT,
    OLDEST_FORMAT,
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
MAX_EXPORT_BYTES = 400_000
# What there are many of, and what a controller keeps in memory. Ours have some kilobytes.
MANY = 64_000
LONGEST_NAME = 255  # bytes, as on all disks
MOST_ATTEMPTS = 1_000  # at one thing; each interruption makes one
_AS_WRITTEN = "it as autolfads wrote it: restore the file, or begin a run in another folder"

R = TypeVar("R", bound=Record)


def replace(path: Path, record: Record, within: Path | None = None) -> None:
    """Put `record` in the place of what `path` held."""
    retried(lambda: disk.write_bytes(path, _encode(record), within))


def create_once(path: Path, record: R, within: Path | None = None) -> R:
    """Create `path` with `record` unless it exists, and return what it then holds: that counts.

    Whatever the calls returned (a link can succeed and report an error), the name is read back.
    Raises `NotVisibleYetError` where another has made it and this machine does not see it yet.
    """
    create_exclusively(path, _encode(record), within)
    try:
        return read(path, type(record), within=within)
    except FileNotFoundError:
        raise NotVisibleYetError(errno.ENOENT, "was made, and is not seen yet", str(path)) from None


def _encode(record: Record) -> bytes:
    kind, most = type(record).__name__, _most(type(record))
    try:
        content = record.model_dump_json(by_alias=True, indent=1).encode() + b"\n"
    except PydanticSerializationError as error:  # text that is not Unicode, such as a file's name
        raise StoreError(f"{kind}: cannot be written: {error}") from None
    if len(content) > most:  # nobody could read it
        raise StoreError(f"{kind}: would have more than {most} bytes")
    return content


def _most(kind: type[Record]) -> int:
    """Return how many bytes a record can have."""
    return MANY if kind in (Order, Assignment, WorkerStatus) else MAX_JSON_BYTES


def read(path: Path, kind: type[R], most: int | None = None, within: Path | None = None) -> R:
    """Read one record, of `most` bytes, through no link below `within`.

    Raises `StoreError` naming the file, `FileNotFoundError` when absent.
    """
    most = _most(kind) if most is None else most
    try:
        content = retried(lambda: read_bytes(path, most, within))
    except OSError as error:
        if error.errno in NO_PLAIN_FILE:
            raise StoreError(f"{path}: is no plain file") from None
        raise
    if len(content) > most:
        raise StoreError(f"{path}: has more than {most} bytes")
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "is cut, or no record"
        what = _other_format(content) or f"{where}: {first['msg']}; expected {_AS_WRITTEN}"
        what = what[:300].encode("unicode_escape").decode("ascii")  # a stranger may have written it
        raise StoreError(f"{path}: {what}") from None


def _other_format(content: bytes) -> str | None:
    """Return what to say of a record whose format this version does not read."""
    try:
        record: Any = json.loads(content)
        found = record.get("format")
    except (ValueError, AttributeError, RecursionError):
        return None
    if type(found) is not int or OLDEST_FORMAT <= found <= NEWEST_FORMAT:
        return None
    maker = record.get("autolfads")
    needed = f"autolfads {maker}" if isinstance(maker, str) and len(maker) < 40 else "the version"
    age = "a newer" if found > NEWEST_FORMAT else "an older"
    reads = f"formats {OLDEST_FORMAT} to {NEWEST_FORMAT}"
    return (
        f"was written by {age} version (format {found}; this one reads {reads}); "
        f"expected {needed} that made it"
    )


def _refuse_link(path: Path) -> None:
    try:
        found = stat.S_ISLNK(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    if found:
        raise StoreError(f"{path}: is a link; expected only files and folders of the run")


def read_if_there(
    path: Path, kind: type[R], most: int | None = None, within: Path | None = None
) -> R | None:
    """Read one record, as `read` does, or return None when there is no such file."""
    try:
        return read(path, kind, most, within)
    except FileNotFoundError:
        return None


def _at_its_place(order: Order, member: int, generation: int, folder: Path) -> Order:
    if (order.member, order.generation) != (member, generation):
        raise StoreError(
            f"{folder}/order.json: is for member {order.member}, generation "
            f"{order.generation}; expected member {member}, generation {generation}"
        )
    return order


def _in_its_folder(task: Task, folder: str) -> Task:
    if task.folder != folder or not folder.endswith(f"/attempt-{task.attempt}"):
        raise StoreError(
            f"{folder}/task.json: is for '{task.folder[:200]}', attempt {task.attempt}"
        )
    return task


def _is_no_name(relative: str) -> bool:
    try:
        parts = os.fsencode(relative).split(b"/")
    except UnicodeError:
        return True
    return max(map(len, parts)) > LONGEST_NAME


def _most_in(folder: str) -> int:
    """Return how many bytes a record of the attempt in `folder` can have."""
    if folder.startswith("members/"):
        return MANY
    # A run's whole configuration is in the outcome of `prepare`, each member in the task to export.
    return MAX_JSON_BYTES if folder.startswith("prepare/") else MAX_EXPORT_BYTES


class RunFolder:
    """Names and records of one run directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, relative: str) -> Path:
        """Return the path of a name that a record gives. Raises `StoreError` if it leads out.

        So it does through a link. Whoever shares the folder with those that are not trusted opens
        it with `within`, all the same: a link can appear at any moment.
        """
        path = self.named(relative)
        for step in reversed(path.relative_to(self.root).parents):
            _refuse_link(self.root / step)
        _refuse_link(path)
        return path

    def named(self, relative: str) -> Path:
        """Return the path of a name below the folder. Raises `StoreError` if it leads out."""
        name = PurePosixPath(relative)
        if not name.parts or name.is_absolute() or ".." in name.parts or "\0" in relative:
            raise StoreError(f"{self.root}: a record names '{relative}', outside of the folder")
        if _is_no_name(relative):
            raise StoreError(f"a record names {ascii(relative)[:200]}, which no file can be called")
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
    def checkpoint_in(attempt: str, number: int) -> str:
        """Return the name for save number 1, 2, 3… of the attempt in the folder `attempt`.

        Two names take turns: an attempt never has more than two checkpoints, and the newest one
        that its worker spoke of is not the one that it writes next.
        """
        return f"{attempt}/checkpoint-{2 - number % 2}.ckpt"

    @property
    def results(self) -> Path:
        """The published results."""
        return self.root / "results"

    # The run.
    def see_that_it_is_there(self) -> None:
        """Raise `FileNotFoundError` for the folder where nothing of the run is seen in it.

        It was moved, removed, or its volume is not mounted any more, and then whoever only reads
        would take everybody for silent.
        """
        for name in ("owner.json", "run.json", "members"):
            if self.has(name):
                return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.root))

    def has(self, relative: str) -> bool:
        """Return whether the folder has something of this name: one that is not waited for."""
        return disk.exists(self.named(relative), within=self.root)

    def owner(self) -> Owner | None:
        """Whose folder this is; None: nobody's yet."""
        return self._read("owner.json", Owner)

    def claim(self, owner: Owner) -> Owner:
        """Make the folder `owner`'s, unless it has one, and return whose it is."""
        make_folder(self.root)
        return self._create("owner.json", owner)

    def note_keep_results(self, keep: bool) -> None:
        """Change in `owner.json` whether the folder outlives the run's object in the cluster.

        The one thing of a run that can change and is no decision on its course.
        """
        owner = self.owner()
        if owner is not None:
            changed = owner.model_copy(update={"keep_results": keep})
            self._replace("owner.json", changed)

    def run(self) -> Run | None:
        """What was frozen; None before `prepare` has finished."""
        return self._read("run.json", Run)

    def freeze(self, run: Run) -> Run:
        """Freeze the run, once."""
        return self._create("run.json", run)

    def end(self) -> End | None:
        """How the run ended; None while it goes on."""
        return self._read("end.json", End)

    def finish(self, end: End) -> End:
        """Write how the run ended, once."""
        return self._create("end.json", end)

    # Decisions.
    def give_order(self, order: Order) -> Order:
        """Write an order, once, and return the one that counts."""
        folder = self.leg_folder(order.member, order.generation)
        make_folder(self.named(folder), within=self.root)
        found = self._create(f"{folder}/order.json", order)
        return _at_its_place(found, order.member, order.generation, self.named(folder))

    def order(self, member: int, generation: int) -> Order | None:
        """Read an order."""
        folder = self.leg_folder(member, generation)
        found = self.order_as_it_is(member, generation)
        return found and _at_its_place(found, member, generation, self.named(folder))

    def order_as_it_is(self, member: int, generation: int) -> Order | None:
        """Read an order, also one that says to be for another place."""
        return self._read(f"{self.leg_folder(member, generation)}/order.json", Order)

    def order_at(self, relative: str) -> Order:
        """Read the order that a task names."""
        return read(self.named(relative), Order, within=self.root)

    def give_task(self, task: Task) -> Task:
        """Write a task into its attempt's folder, once, and return the one that counts."""
        make_folder(self.named(task.folder), within=self.root)
        return _in_its_folder(self._create(f"{task.folder}/task.json", task), task.folder)

    def task(self, folder: str) -> Task | None:
        """Read the task of an attempt's folder."""
        found = self.task_as_it_is(folder, _most_in(folder))
        return found and _in_its_folder(found, folder)

    def task_as_it_is(self, folder: str, most: int | None = None) -> Task | None:
        """Read the task of an attempt's folder, also one that says to be for another."""
        return self._read(f"{folder}/task.json", Task, most)

    def settle(self, folder: str, outcome: Outcome) -> Outcome:
        """Write the outcome of an attempt, once, and return the one that counts."""
        return self._create(f"{folder}/outcome.json", outcome)

    def outcome(self, folder: str) -> Outcome | None:
        """Read the outcome of an attempt."""
        return self._read(f"{folder}/outcome.json", Outcome, _most_in(folder))

    def attempts(self, parent: str) -> Iterator[tuple[Task, Outcome | None]]:
        """Walk the attempts below `parent` in order: never used to wait for one.

        Raises `StoreError` where there are more than a run can make.
        """
        number = 1
        while (task := self.task(self.attempt_folder(parent, number))) is not None:
            if number > MOST_ATTEMPTS:
                raise StoreError(f"{self.root / parent}: has more than {MOST_ATTEMPTS} attempts")
            yield task, self.outcome(task.folder)
            number += 1

    # Workers.
    def receive_workers(self) -> None:
        """Make the folder in which workers say that they are there."""
        make_folder(self.root / "workers", within=self.root)

    def assign(self, life: str, assignment: Assignment) -> None:
        """Tell a worker what to do now."""
        self.receive_workers()
        self._replace(f"workers/{life}.json", assignment)

    def assignment(self, life: str) -> Assignment | None:
        """Read what a worker is to do; None until the controller has written it."""
        return self._read(f"workers/{life}.json", Assignment)

    def report(self, life: str, status: WorkerStatus) -> None:
        """Say what this worker does. Not synced: it is worthless after a power cut anyway."""
        path = self.named(f"workers/{life}.status.json")
        disk.write_quickly(path, _encode(status), within=self.root)

    def announce(self, life: str, status: WorkerStatus) -> None:
        """The same, to outlast a power cut: what it tells of is durable, and needs to be found."""
        self._replace(f"workers/{life}.status.json", status)

    def status(self, life: str) -> WorkerStatus | None:
        """Read what a worker does; None until it has written it.

        One that was cut by a power failure is no status either: it decides nothing.
        """
        try:
            return self._read(f"workers/{life}.status.json", WorkerStatus)
        except StoreError:
            return None

    def _read(self, relative: str, kind: type[R], most: int | None = None) -> R | None:
        return read_if_there(self.named(relative), kind, most, within=self.root)

    def _create(self, relative: str, record: R) -> R:
        return create_once(self.named(relative), record, within=self.root)

    def _replace(self, relative: str, record: Record) -> None:
        replace(self.named(relative), record, within=self.root)

    # Publishing and tidying, by the controller alone.
    def publish(self, folder: str) -> None:
        """Make the results written into an export attempt's folder the results of the run."""
        publish(self.root, self.named(f"{folder}/results"), self.results)

    def remove(self, relative: str) -> bool:
        """Remove a file or a folder below the run directory; return whether it is gone."""
        return disk.remove(self.named(relative), within=self.root)

    def contents(self, relative: str | None = None) -> list[str]:
        """Return the names in a folder: to tidy up what is over, never to wait for something.

        Of more than anybody has a use for, some: the rest is seen when those are removed.
        """
        folder = self.root if relative is None else self.named(relative)
        try:
            return disk.contents(folder, within=self.root)
        except FileNotFoundError:
            return []
