"""What a run can need of its disk at most, computed before it starts. Pure; no torch.

Files and folders are counted alike, as file systems do, and each in whole blocks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autolfads_trainer.checkpoint_size import (
    NUMBER,
    checkpoint_bytes,
    columns,
    model_file_bytes,
)
from autolfads_trainer.config.defaults import DataSizes
from autolfads_trainer.config.tunable import hyperparameters_of
from autolfads_trainer.model.sizes import Sizes
from autolfads_trainer.records import MOST_REFUSED, DiskUse

BLOCK = 4096
NAME = 64  # bytes that a name takes in its folder
FIELD = 25  # bytes of a number in a CSV file, with its comma: float64 in full
RECORD = 1024  # an order, a task or an outcome, but for what grows with the run
LOG = 1_000_000  # of a worker: bounded there
LOGS_KEPT = 8  # of workers that are over
INTERRUPTIONS = 10  # for each member, that are counted in
SAVES = 5  # of one leg: two of attempts before, two of the open one, one that is being written


@dataclass(frozen=True)
class Use:
    """Bytes of a disk, in whole blocks, and names on it."""

    bytes: int = 0
    files: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(self.bytes + other.bytes, self.files + other.files)

    def __mul__(self, times: int) -> Use:
        return Use(self.bytes * times, self.files * times)


def one_file(size: int) -> Use:
    """Return what a file of `size` bytes takes."""
    return Use(max(1, -(-size // BLOCK)) * BLOCK, 1)


def folder(names: int) -> Use:
    """Return what a folder takes that ever holds so many names at once."""
    return one_file(NAME * names)


SMALL = one_file(1)
# For good: the attempt's folder, its task and its outcome. And until the controller tidies up,
# three small files that were cut off in the making.
INTERRUPTION = folder(8) + SMALL * 5
LANE = SMALL * 5  # assignment and status, each with its temporary file
LIFE = LANE + one_file(LOG)
LANES_PER_MEMBER = 4  # of workers that train several members at once; more are of no use


@dataclass(frozen=True)
class Plan:
    """A run's numbers, as far as its disk use depends on them."""

    configuration: Mapping[str, Any]
    data: DataSizes
    mode: str
    data_bytes: int  # the data files
    generated: bool  # it lies in the run's folder
    texts: int  # bytes of all that is recorded in words: spec, configuration, search space, notes

    @property
    def members(self) -> int:
        """The population."""
        return int(self.configuration["pbt"]["num_samples"])

    @property
    def epochs(self) -> int:
        """Epochs of one member, in all its generations together."""
        return int(self.configuration["trainer"]["max_epochs"])

    @property
    def generations(self) -> list[int]:
        """The epochs of each generation."""
        pbt = self.configuration["pbt"]
        interval = int(pbt["perturbation_interval"])
        first = min(int(pbt["burn_in_period"]) or interval, self.epochs)
        whole, rest = divmod(self.epochs - first, interval)
        return [first, *[interval] * whole, *([rest] if rest else [])]

    @property
    def tuned(self) -> int:
        """How many hyperparameters there can be."""
        return len(hyperparameters_of(self.configuration["model"]))

    @property
    def checkpoint(self) -> int:
        """Bytes of one checkpoint."""
        trials = sum(one.train_trials + one.valid_trials for one in self.data.sessions)
        return checkpoint_bytes(self.configuration, trials, max(self.generations))

    @property
    def checkpoints(self) -> int:
        """How many checkpoints there can be at once.

        Ends of generations: of each member its newest or, while that is made, what it started from
        and what that was made from; the best, and what that was made from. In asynchronous mode
        a member that is behind may still compare with any of them. Besides, the saves, and what the
        disk refuses to remove: when that is noticed, each member may have begun to make one more.
        """
        ends = self.members * len(self.generations)
        if self.mode == "synchronous":
            ends = min(2 * self.members + 2, ends)
        return ends + (SAVES + 1) * self.members + MOST_REFUSED


def in_units(size: int) -> str:
    """Return a size as people say it: `1.3 GB`, `11 MB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            share = size / scale
            return f"{share:.1f} {unit}" if share < 10 else f"{share:,.0f} {unit}"
    return f"{size} bytes"


def disk_use(
    spec: Mapping[str, Any],
    configuration: Mapping[str, Any],
    search_space: Mapping[str, Any],
    data: DataSizes,
    *,
    data_bytes: int,
    start_bytes: int = 0,
    notes: Sequence[str] = (),
) -> DiskUse:
    """Return what a run can need at most of the disk that its folder is on.

    `spec` is what the user asked for, `configuration` and `search_space` what it was resolved to,
    `data_bytes` the size of the data files, `start_bytes` of a checkpoint that members begin with.
    """
    said = (spec, configuration, search_space, list(notes))
    plan = Plan(
        configuration=configuration,
        data=data,
        mode=(spec.get("pbt") or {}).get("mode") or "synchronous",
        data_bytes=data_bytes,
        generated=bool(spec["data"].get("generate")),
        # In ASCII and set in generously: no other way of writing it takes more.
        texts=2 * len(json.dumps(said, indent=3)),
    )
    whole = (
        beginning(plan)
        + (one_file(start_bytes) * 2 if start_bytes else Use())
        + one_file(plan.checkpoint) * plan.checkpoints
        + history(plan)
        + workers(plan)
        + results(plan)
        + INTERRUPTION * (INTERRUPTIONS * plan.members)
    )
    return DiskUse(
        bytes=whole.bytes,
        files=whole.files,
        checkpoint_bytes=plan.checkpoint,
        bytes_per_interruption=INTERRUPTION.bytes,
        files_per_interruption=INTERRUPTION.files,
    )


def beginning(plan: Plan) -> Use:
    """Return what there is before the first member trains, with the data where it is made."""
    record = one_file(RECORD + plan.texts)
    # Owner, run and what `prepare` answers; each is written beside before it has its name.
    records = record * 4 + SMALL * 4  # task, end, lock, the trial of the volume
    generated = one_file(plan.data_bytes) * 2 if plan.generated else Use()
    folders = folder(32) + folder(8) * 2
    return folders + records + generated + INTERRUPTION * 3  # attempts that failed


def history(plan: Plan) -> Use:
    """Return what the orders take, and what was measured: of all members and generations."""
    names = columns(plan.configuration["model"])
    line, heads = FIELD * len(names), sum(len(name) + 1 for name in names)
    record = one_file(RECORD + 64 * len(names))  # an outcome has the last row
    legs = Use()
    for epochs in plan.generations:
        legs += folder(8) * 2 + record * 3 + one_file(heads + epochs * line)
    # Attempts under way: one that is over and not tidied yet, the open one, and a file in making.
    under_way = (folder(8) + record * 2) * 2
    under_way += one_file(heads + max(plan.generations) * line) * 4
    member = legs + under_way + folder(len(plan.generations))
    return member * plan.members + folder(plan.members)


def workers(plan: Plan) -> Use:
    """Return what workers take: as many as members, and the logs of those that are over."""
    lives = plan.members + LOGS_KEPT
    lanes = LANES_PER_MEMBER * plan.members
    return LIFE * lives + LANE * lanes + folder(16 * (lives + lanes))


def results(plan: Plan) -> Use:
    """Return what the results take while they are made, the largest file twice."""
    fitlog, summary = fitlog_bytes(plan), BLOCK + 64 * plan.tuned + 512 * len(plan.data.sessions)
    rates = rates_bytes(plan)
    others = [*rates, model_file_bytes(plan.configuration), report_bytes(plan), summary]
    # Digits take four of their eight bits when they are packed, and a little.
    archive = archive_bytes([fitlog * 3 // 4, *others])
    reached = one_file(RECORD + 12 * plan.members)  # the task names the newest of each member
    whole = folder(8 + len(rates)) * 3 + reached + one_file(summary) + INTERRUPTION * 3
    for size in (*others, fitlog, archive, max(*others, fitlog, archive)):
        whole += one_file(size)
    return whole


def archive_bytes(contents: Sequence[int]) -> int:
    """Return the most that the zip of files of these sizes can have: packing may even add a bit."""
    return BLOCK + sum(size + size // 1000 + 512 for size in contents)


def rates_bytes(plan: Plan) -> list[int]:
    """Return the most that each session's `lfads_output_*.h5` can have.

    A copy of the data (of all together, of which nobody knows here how large each is), and every
    output.
    """
    sizes = Sizes.of(plan.configuration["model"])
    inputs = sizes.co_dim + sizes.ext_input_dim
    found = []
    for session, data in zip(sizes.sessions, plan.data.sessions, strict=True):
        step = session.recon_data_dim + sizes.fac_dim + sizes.gen_dim + sizes.con_dim
        step += 2 * sizes.co_dim + inputs
        trial = sizes.recon_seq_len * step + 2 * sizes.ic_dim + sizes.gen_dim
        trials = data.train_trials + data.valid_trials + data.test_trials
        found.append(NUMBER * trial * trials + 16 * BLOCK)  # and HDF5's own books
    found[0] += plan.data_bytes
    return found


def fitlog_bytes(plan: Plan) -> int:
    """Return the most that `fitlog.csv` can have: a row for every member and epoch."""
    names = columns(plan.configuration["model"])
    fields = len(names) + 2  # the row's number and its member
    return sum(len(name) + 1 for name in names) + FIELD * fields * (plan.members * plan.epochs + 1)


def report_bytes(plan: Plan) -> int:
    """Return the most that `report.html` can have: measured, and rounded up."""
    legs = plan.members * len(plan.generations)
    points = 60 * plan.members * min(plan.epochs, 1200)  # the curves are thinned out beyond
    pixels = min(plan.data.recon_dim, 300) * min(plan.data.recon_steps, 300)
    images = 9 * 5 * pixels  # three trials: spikes, rates and true rates
    traces = 1500 * plan.data.recon_steps
    return 250_000 + legs * (1500 + 120 * plan.tuned) + points + images + traces + 6 * plan.texts
