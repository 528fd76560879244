"""What a task gets from the worker that does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from autolfads_trainer.config.classes import held_out_by
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.patience import SEEN_WITHIN, Patience
from autolfads_trainer.records import Data, Run
from autolfads_trainer.session_paths import paths_of
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks.bad_sector import BadSectors, Unreadable, lists
from autolfads_trainer.tasks.shared import Shared
from autolfads_trainer.userinput import InputError

if TYPE_CHECKING:
    import torch

    from autolfads_trainer.data.dataset import Dataset
    from autolfads_trainer.data.hdf5 import Recording
    from autolfads_trainer.training.member import Member

T = TypeVar("T")


class TaskGone(Exception):  # noqa: N818  (no error: the worker was given up, and leaves)
    """The attempt was given to nobody or to another: it has an outcome already."""


class MustLeave(Exception):  # noqa: N818  (no error: it was told to)
    """The worker was told to leave, and the task can be done again from its beginning."""


@dataclass(frozen=True)
class Said:
    """What a task says of itself while it goes on."""

    doing: str
    epoch: float | None = None
    score: float | None = None
    saved: str | None = None
    saved_sha256: str | None = None
    saved_epoch: int | None = None
    saved_steps: int = 0
    bps: float | None = None


@dataclass
class Context:
    """The run directory, the device, and the worker's ears and mouth."""

    folder: RunFolder
    device: str  # `auto`: the GPU when there is one
    save_every: float  # seconds between checkpoints within a generation
    allow_import: Sequence[str]
    say: Callable[[Said], None]  # tell the controller; cheap, called often
    announce: Callable[[Said], None]  # the same, surely and durably; raises `OSError` if it cannot
    must_leave: Callable[[], bool]  # told to leave, or left alone
    patience: Patience  # with a disk that fails for a while, and with names that are seen late
    data_at: Path | None = None  # where the run's data lie now; None: where they did
    room_at: Path | None = None  # the folder whose disk must have room; None: the run's
    trains: bool = True  # and does not only prepare, on a machine that need not be like the others'
    measures_with: int = (
        0  # `prepare` measures what a run with so many workers takes; 0: it does not
    )
    gpu_share: float = 1.0  # of the GPU's memory, where several workers have one
    steps: int = 0  # of the optimizer, in all tasks so far
    shared: Shared = field(default_factory=Shared, repr=False)

    def run(self) -> Run:
        """What was frozen."""
        run = self.patience.announced(self.folder.run)
        if run is None:
            raise StoreError(f"{self.folder.root}: has no run.json although a task needs it")
        return run

    def torch_device(self) -> torch.device:
        """The device to train on. Raises `InputError` where a GPU is asked for and none is seen."""
        import torch  # noqa: PLC0415  (only those who train wait for it)

        seen = torch.cuda.is_available()
        if self.device.startswith("cuda") and not seen:
            raise InputError(
                "this worker sees no GPU, although it is to train on one; expected an NVIDIA GPU "
                "and its driver: see `nvidia-smi` there, or train on CPU (on a cluster: "
                "spec.workers.gpu.sharing: none; on one machine: --device cpu)"
            )
        name = self.device if self.device != "auto" else "cuda" if seen else "cpu"
        device = torch.device(name)
        if device.type == "cuda" and self.gpu_share < 1:
            # Time-slicing keeps nobody from the memory of the others.
            torch.cuda.set_per_process_memory_fraction(self.gpu_share, device.index or 0)
        return device

    def train(self, member: Member, after_step: Callable[[Member], bool]) -> bool:
        """Train a member to its leg's end or until told to stop: `Member.train`."""

        def waits() -> bool:
            self.say(Said("waiting for a place among the members in training"))
            return self.must_leave()

        return self.shared.train(member, after_step, waits)

    def data_paths(self, run: Run) -> list[Path]:
        """Where the data of each session are."""
        first = Path(run.data.path)
        if not first.is_absolute():
            return [self.folder.path(session.path) for session in run.sessions]
        if self.data_at is None:
            return [Path(session.path) for session in run.sessions]
        found = paths_of(self.data_at)
        if len(found) != len(run.sessions):
            raise InputError(
                f"{self.data_at}: is {len(found)} files now; expected the {len(run.sessions)} that "
                "this run began with, or a new run in another folder"
            )
        return found

    def telling(self, read: Callable[[Path], T]) -> Callable[[Path], T]:
        """Return `read`, made to say that a missing file is waited for."""

        def read_or_say(path: Path) -> T:
            try:
                return read(path)
            except FileNotFoundError:
                self.say(Said(f"waiting up to {SEEN_WITHIN:.0f} s for a missing {path.name}"))
                raise

        return read_or_say

    def file_of_a_user(self, path: Path, read: Callable[[Path], T]) -> T:
        """Return `read(path)`. Raises `InputError` where it lies on a bad sector."""
        try:
            return self.patience(BadSectors(self.patience.clock, works=lists).reading(path, read))
        except Unreadable as error:
            raise InputError(f"{error}; expected a file that can be read: restore it") from None

    def data(self, run: Run) -> tuple[tuple[Recording, ...], Dataset]:
        """Read the data, once in a worker's life, and see that they are what `prepare` saw."""
        while not self.shared.data_lock.acquire(timeout=1):
            self.say(Said("reading the data"))  # another lane does
        try:
            return self._data(run)
        finally:
            self.shared.data_lock.release()

    def _data(self, run: Run) -> tuple[tuple[Recording, ...], Dataset]:
        from autolfads_trainer.data.dataset import Dataset  # noqa: PLC0415

        found = self.shared.data
        which = "/".join(session.sha256 for session in run.sessions)
        if found is None or found[0] != which:
            paths = self.data_paths(run)
            pairs = zip(paths, run.sessions, strict=True)
            recordings = tuple(self._recording(path, session) for path, session in pairs)
            datamodule = run.configuration["datamodule"]
            seed = datamodule.get("reshuffle_tv_seed")
            if seed is not None:
                ratio = datamodule.get("reshuffle_tv_ratio")
                recordings = tuple(each.reshuffled(seed, ratio) for each in recordings)
            dataset = Dataset.of(
                recordings,
                self.torch_device(),
                sv_rate=held_out_by(run.configuration["model"]),
                sv_seed=datamodule.get("sv_seed") or 0,
            )
            found = self.shared.data = (which, recordings, dataset)
        return found[1], found[2]

    def _recording(self, path: Path, session: Data) -> Recording:
        """Read one file, which is to be what it was."""
        from autolfads_trainer.data.hdf5 import fingerprint, read_recording  # noqa: PLC0415

        # First of all, since it tells a disk's trouble, which passes, as what it is.
        found = self.file_of_a_user(path, lambda p: fingerprint(p) if p.is_file() else None)
        try:
            recording = read_recording(path)
        except InputError:
            if found != session.sha256 or fingerprint(path) != found:
                raise
            # It was whole: the disk failed between two reads.
            recording = read_recording(path)
        if found != session.sha256:
            moved = "" if str(path) == session.path else f", then {session.path}"
            raise InputError(
                f"{path}: was changed since this run began{moved}; expected the file as it "
                "was, or a new run in another folder"
            )
        return recording
