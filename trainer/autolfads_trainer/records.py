"""What is written in the run directory: a frozen model for each kind of file, camelCase in JSON.

A record that decides something (`Run`, `Order`, `Task`, `Outcome`, `End`) is written once and
never changed; `Assignment` and `WorkerStatus` are replaced as things go on.
Scores and other numbers that are not finite are written as null: JSON has no word for them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FORMAT: Literal[2] = 2  # raised when a record changes so that an older program would misread it
# Of a run with several sessions: programs that know of one alone do not go on with it.
NEWEST_FORMAT: Literal[3] = 3
OLDEST_FORMAT = 1  # still read; nothing was taken away since

Whole = Annotated[int, Field(ge=0)]
# Nobody trains as long, or with as many; larger ones are a stranger's, made to keep us busy.
Count = Annotated[int, Field(ge=0, le=2**53)]
Amount = Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1, le=2**53)]
MOST_MEMBERS = 10_000
MOST_LANES = 1_000  # each is asked for like a worker
MOST_REFUSED = 2  # files that a disk may refuse to remove: `DiskUse` has room for them
Life = Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,252}\z")]
Place = tuple[Count, Count]
"""(member, generation): members count from 0, generations from 1."""


class Record(BaseModel):
    """Base of all records. Unknown keys are ignored, so that older programs read newer files."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore"
    )
    format: Literal[1, 2, 3] = FORMAT


class Owner(Record):
    """Whose folder this is: what was asked for, so that another run cannot take it over."""

    name: str
    spec: dict[str, Any]
    spec_hash: str
    config_hash: str | None = None  # sha256 of the configuration file
    namespace: str | None = None
    uid: str | None = None
    cluster: str | None = None
    keep_results: bool = True
    autolfads: str | None = None  # the version that made the folder: told when it is too new


class Pbt(Record):
    """The settings of population-based training, resolved. Epochs are counted per member."""

    mode: Literal["synchronous", "asynchronous"] = "synchronous"
    metric: str
    burn_in_epochs: Count
    generation_epochs: Count
    max_epochs: Count
    patience: Count
    min_improvement_ratio: float


class Data(Record):
    """The data file of a run: `path` absolute, or relative to the run directory when it is ours."""

    path: str
    sha256: str
    session: str


class DiskUse(Record):
    """What a run can need of its disk at most, interruptions included as far as it says."""

    bytes: Whole
    files: Whole
    checkpoint_bytes: Whole  # one checkpoint
    bytes_per_interruption: Whole  # a death, or a worker's leave: records, and what was begun
    files_per_interruption: Whole


class Run(Record):
    """What is frozen before the first member trains. Everything else follows from it."""

    name: str
    seed: Whole
    population: Annotated[int, Field(ge=1, le=MOST_MEMBERS)]
    pbt: Pbt
    search_space: dict[str, dict[str, Any]]
    configuration: dict[str, Any]
    data: Data
    further_data: tuple[Data, ...] = ()  # of the sessions after the first
    disk: DiskUse | None = None
    notes: tuple[str, ...] = ()

    @property
    def sessions(self) -> tuple[Data, ...]:
        """The data of each session."""
        return (self.data, *self.further_data)


class Compared(Record):
    """The score of another member that an asynchronous decision used: it depends on the hour."""

    member: Count
    generation: Positive | None  # None: the opponent had no score yet
    score: float | None

    @property
    def place(self) -> Place | None:
        """Whose end the score is of; None: there was none yet."""
        return (self.member, self.generation) if self.generation is not None else None


class Order(Record):
    """The decision for one member and generation: whose checkpoint, which hyperparameters, why."""

    member: Count
    generation: Positive
    parent: Place | None  # whose end this starts from; None in the first generation
    copied: bool  # the parent is another member, and the hyperparameters are perturbed
    hyperparameters: dict[str, float]  # by configuration path, e.g. `model.lr_init`
    start_epoch: Count
    epochs: Positive
    why: str
    compared: Compared | None = None  # asynchronous mode, from the second generation on

    def sha256(self) -> str:
        """Return a checksum of what training depends on, the same in all versions of autolfads."""
        decided = [
            self.member,
            self.generation,
            self.parent,
            self.copied,
            sorted(self.hyperparameters.items()),
            self.start_epoch,
            self.epochs,
        ]
        return hashlib.sha256(json.dumps(decided).encode()).hexdigest()


class Task(Record):
    """One attempt at something, for one worker. Paths are relative to the run directory."""

    kind: Literal["prepare", "train", "export"]
    folder: str
    worker: Life
    attempt: Positive
    order: str | None = None  # train: the order's path
    order_sha256: str | None = None  # of what the order decides: nothing else is trained
    start_from: str | None = None  # train: a checkpoint; export: the best member's
    start_sha256: str | None = None  # of that checkpoint, as its outcome gives it
    resume: bool = False  # `start_from` was saved within this generation: go on with it as it is
    reached: tuple[Count, ...] = ()  # export: the newest generation of each member
    best: Place | None = None  # export

    def is_for(self, order: Order) -> bool:
        """Return whether the order decides what it did when this task was given."""
        return self.order_sha256 in (None, order.sha256())


UNSAVED = "told to leave while the disk did not work"


class Outcome(Record):
    """How an attempt ended. The first one written counts, whoever writes it."""

    outcome: Literal["finished", "failed", "saved", "abandoned"]
    reason: str | None = None
    input_error: bool = False  # the user can mend it; trying again cannot
    stranger: bool = False  # abandoned: by a controller that does not know its worker
    epoch: Count | None = None  # epochs completed when the newest checkpoint was saved
    steps: Count = 0  # further steps completed within the next epoch
    checkpoint: str | None = None
    sha256: str | None = None  # of the checkpoint
    final: bool = False  # failed: no further attempt can help
    damaged: str | None = None  # failed: the checkpoint to start from is cut, changed or gone
    metrics_sha256: str | None = None  # train: of metrics.csv as the finished attempt wrote it
    score: float | None = None  # train: the metric at the end; None: lost
    seconds: float | None = None
    result: dict[str, Any] = {}
    files: dict[str, Whole] = {}  # export: the bytes of each file of the results


class End(Record):
    """How the run ended."""

    state: Literal["succeeded", "failed"]
    reason: str
    input_error: bool = False
    best: Place | None = None
    score: float | None = None


class Assignment(Record):
    """What a worker is to do now; written by the controller, replaced by rename."""

    task: str | None = None  # the folder of the attempt
    leave: bool = False  # the run is over: exit with 0


class WorkerStatus(Record):
    """What a worker does; written by that worker alone, replaced by rename."""

    counter: Count  # moves as long as the worker gets on; life is judged by it
    doing: str
    task: str | None = None
    epoch: Amount | None = None  # of the member in training, with the fraction of the current one
    score: float | None = None  # the newest value of the metric
    saved: str | None = None  # the newest checkpoint of the current task
    saved_sha256: str | None = None
    saved_epoch: Count | None = None
    saved_steps: Count = 0
    ended: str | None = None  # the folder of the last attempt that has an outcome
    steps: Count = 0  # of the optimizer, in this life
    waited: Amount | None = None  # seconds without a task before the current one; None: the first
    bps: float | None = None  # the newest bits per spike of the member in training
    device: str | None = None
    peak_memory_bytes: Count | None = None
    trouble: str | None = None  # of its disk, in plain words; None: there is none
    lanes: Annotated[int, Field(ge=1, le=MOST_LANES)] = 1  # of its process: `lanes`
