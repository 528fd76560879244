"""The run directory: the only thing that controller and workers share. No torch.

Six rules make a run survive the death of anything at any instruction (docs/run-directory.md):
a file is complete before it has its name; what decides is created once, and read back; plans read
only what was decided; nothing that decides is changed; a worker is one life of one process;
and a reader opens no name before another file has announced it.

`disk.py` has the calls, this file the names and the records.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from autolfads_trainer.disk import (
    NO_PLAIN_FILE,
    NotVisibleYetError,
    StoreError,
    create_exclusively,
    make_folder,
    read_bytes,
    remove,
    retried,
    sync_folder,
    write_bytes,
    write_quickly,
)
from autolfads_trainer.folders import names_in
from autolfads_trainer.records import (
    FORMAT,
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
# What there are many of, and what a controller keeps in memory. Ours have some kilobytes.
MANY = 64_000
MOST_ATTEMPTS = 1_000  # at one thing; each interruption makes one
_AS_WRITTEN = "it as autolfads wrote it: restore the file, or begin a run in another folder"

R = TypeVar("R", bound=Record)


def replace(path: Path, record: Record) -> None:
    """Put `record` in the place of what `path` held."""
    retried(lambda: write_bytes(path, _encode(record)))


def create_once(path: Path, record: R) -> R:
    """Create `path` with `record` unless it exists, and return what it then holds: that counts.

    Whatever the calls returned (a link can succeed and report an error), the name is read back.
    Raises `NotVisibleYetError` where another has made it and this machine does not see it yet.
    """
    create_exclusively(path, _encode(record))
    try:
        return read(path, type(record))
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


def read(path: Path, kind: type[R], most: int | None = None) -> R:
    """Read one record, of `most` bytes.

    Raises `StoreError` naming the file, `FileNotFoundError` when absent.
    """
    most = _most(kind) if most is None else most
    try:
        content = retried(lambda: read_bytes(path, most))
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
    if type(found) is not int or OLDEST_FORMAT <= found <= FORMAT:
        return None
    maker = record.get("autolfads")
    needed = f"autolfads {maker}" if isinstance(maker, str) and len(maker) < 40 else "the version"
    age = "a newer" if found > FORMAT else "an older"
    reads = f"formats {OLDEST_FORMAT} to {FORMAT}"
    return (
        f"was written by {age} version (format {found}; this one reads {reads}); "
        f"expected {needed} that made it"
    )


_IN_THE_WAY = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def _is_same_folder(one: Path, other: Path) -> bool:
    """Return whether both names are seen to be of one folder: the older can be remembered."""
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False


def _refuse_link(path: Path) -> None:
    try:
        found = stat.S_ISLNK(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
            raise
        name = ascii(str(path))[:200]
        raise StoreError(f"a record names {name}, which no file can be called") from None
    if found:
        raise StoreError(f"{path}: is a link; expected only files and folders of the run")


def read_if_there(path: Path, kind: type[R], most: int | None = None) -> R | None:
    """Read one record, of `most` bytes, or return None when there is no such file."""
    try:
        return read(path, kind, most)
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


def _most_in(folder: str) -> int:
    """Return how many bytes a record of the attempt in `folder` can have."""
    return MANY if folder.startswith("members/") else MAX_JSON_BYTES


class RunFolder:
    """Names and records of one run directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, relative: str) -> Path:
        """Return the path of a name that a record gives. Raises `StoreError` if it leads out."""
        path = self._place(relative)
        _refuse_link(path)
        return path

    def _place(self, relative: str) -> Path:
        name = PurePosixPath(relative)
        if not name.parts or name.is_absolute() or ".." in name.parts or "\0" in relative:
            raise StoreError(f"{self.root}: a record names '{relative}', outside of the folder")
        folder = self.root
        for part in name.parts[:-1]:
            folder = folder / part
            _refuse_link(folder)
        return folder / name.parts[-1]

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
            with contextlib.suppress(FileNotFoundError):
                (self.root / name).stat()
                return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.root))

    def owner(self) -> Owner | None:
        """Whose folder this is; None: nobody's yet."""
        return read_if_there(self.root / "owner.json", Owner)

    def claim(self, owner: Owner) -> Owner:
        """Make the folder `owner`'s, unless it has one, and return whose it is."""
        make_folder(self.root)
        return create_once(self.root / "owner.json", owner)

    def note_keep_results(self, keep: bool) -> None:
        """Change in `owner.json` whether the folder outlives the run's object in the cluster.

        The one thing of a run that can change and is no decision on its course.
        """
        owner = self.owner()
        if owner is not None:
            changed = owner.model_copy(update={"keep_results": keep})
            replace(self.root / "owner.json", changed)

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
        make_folder(folder, within=self.root)
        return _at_its_place(
            create_once(folder / "order.json", order), order.member, order.generation, folder
        )

    def order(self, member: int, generation: int) -> Order | None:
        """Read an order."""
        folder = self.path(self.leg_folder(member, generation))
        found = read_if_there(folder / "order.json", Order)
        return found and _at_its_place(found, member, generation, folder)

    def order_at(self, relative: str) -> Order:
        """Read the order that a task names."""
        return read(self.path(relative), Order)

    def give_task(self, task: Task) -> Task:
        """Write a task into its attempt's folder, once, and return the one that counts."""
        make_folder(self.path(task.folder), within=self.root)
        return _in_its_folder(create_once(self.path(task.folder) / "task.json", task), task.folder)

    def task(self, folder: str) -> Task | None:
        """Read the task of an attempt's folder."""
        found = read_if_there(self.path(folder) / "task.json", Task, _most_in(folder))
        return found and _in_its_folder(found, folder)

    def settle(self, folder: str, outcome: Outcome) -> Outcome:
        """Write the outcome of an attempt, once, and return the one that counts."""
        return create_once(self.path(folder) / "outcome.json", outcome)

    def outcome(self, folder: str) -> Outcome | None:
        """Read the outcome of an attempt."""
        return read_if_there(self.path(folder) / "outcome.json", Outcome, _most_in(folder))

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

    def _of_worker(self, name: str) -> Path:
        """Return the path of a worker's file. Raises `StoreError` where it would lead elsewhere."""
        _refuse_link(self.root / "workers")
        return self.root / "workers" / name

    def assign(self, life: str, assignment: Assignment) -> None:
        """Tell a worker what to do now."""
        self.receive_workers()
        replace(self._of_worker(f"{life}.json"), assignment)

    def assignment(self, life: str) -> Assignment | None:
        """Read what a worker is to do; None until the controller has written it."""
        return read_if_there(self._of_worker(f"{life}.json"), Assignment)

    def report(self, life: str, status: WorkerStatus) -> None:
        """Say what this worker does. Not synced: it is worthless after a power cut anyway."""
        write_quickly(self._of_worker(f"{life}.status.json"), _encode(status))

    def announce(self, life: str, status: WorkerStatus) -> None:
        """The same, to outlast a power cut: what it tells of is durable, and needs to be found."""
        replace(self._of_worker(f"{life}.status.json"), status)

    def status(self, life: str) -> WorkerStatus | None:
        """Read what a worker does; None until it has written it.

        One that was cut by a power failure is no status either: it decides nothing.
        """
        try:
            return read_if_there(self._of_worker(f"{life}.status.json"), WorkerStatus)
        except StoreError:
            return None

    # Publishing and tidying, by the controller alone.
    def publish(self, folder: str) -> None:
        """Make the results written into an export attempt's folder the results of the run."""
        made = self.path(f"{folder}/results")
        _refuse_link(self.results)
        if made.is_dir():
            try:
                made.rename(self.results)  # an empty folder of this name is no obstacle
            except OSError as error:
                # Another controller was faster, or the answer is wrong: what is there counts.
                if made.is_dir() and not _is_same_folder(made, self.results):
                    if error.errno in _IN_THE_WAY:
                        raise StoreError(
                            f"{self.results}: is in the way of the run's results, which are in "
                            f"{made}; expected no such name: move it away, and go on with the run"
                        ) from None
                    raise
                if not self.results.is_dir():
                    raise
            sync_folder(self.root)
        if not self.results.is_dir():
            raise StoreError(
                f"{made}: there are no results to publish; remove the folder "
                f"{folder.split('/', 1)[0]} of the run, and they are made again"
            )

    def remove(self, relative: str) -> bool:
        """Remove a file or a folder below the run directory; return whether it is gone."""
        path = self._place(relative)
        return remove(self.root, path.relative_to(self.root).parts)

    def contents(self, relative: str | None = None) -> list[str]:
        """Return the names in a folder: to tidy up what is over, never to wait for something.

        Of more than anybody has a use for, some: the rest is seen when those are removed.
        """
        try:
            folder = self.root if relative is None else self.path(relative)
            return names_in(folder)
        except FileNotFoundError:
            return []
