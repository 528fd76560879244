"""The train task: saves that nothing can spoil, starts that are whole, and a disk that fails."""

from __future__ import annotations

import errno
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from ledger_examples import OWNER

from autolfads_operator.controller.ledger import Ledger
from autolfads_operator.controller.orders import first_order
from autolfads_operator.controller.plan import frozen
from autolfads_trainer import disk
from autolfads_trainer.data import hdf5
from autolfads_trainer.patience import Patience
from autolfads_trainer.places import Place
from autolfads_trainer.records import Assignment, Order, Outcome, Task
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks import bad_sector, start
from autolfads_trainer.tasks import train as train_task
from autolfads_trainer.tasks.context import Context, MustLeave, Said, TaskGone
from autolfads_trainer.tasks.prepare import prepare
from autolfads_trainer.tasks.train import train
from autolfads_trainer.training.checkpoint import load_file, save_file
from autolfads_trainer.userinput import InputError

SPEC: dict[str, Any] = {
    "data": {"generate": {"problem": "lorenz", "conditions": 2, "trials": 5, "channels": 4}},
    "pbt": {"burnInEpochs": 2, "generationEpochs": 2, "maxEpochs": 4},
    "export": {"posteriorSamples": 2},
    "population": 1,
    "seed": 3,
    "config": {
        "model": {
            **dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim", "gen_dim"), 2),
            **{"fac_dim": 2, "co_dim": 1},
        },
        "datamodule": {"batch_size": 3},
    },
}


@dataclass
class Bench:
    """A run of one member, and a worker's context whose clock, ears and disk a test has in hand."""

    folder: RunFolder
    order: Order
    said: list[Said] = field(default_factory=list)
    troubles: list[str | None] = field(default_factory=list)
    leave: bool = False
    now: float = 0.0

    def context(self, save_every: float = 1e9) -> Context:
        def stop() -> None:
            if self.leave:
                raise MustLeave

        def sleep(seconds: float) -> None:
            self.now += seconds

        def announce(said: Said) -> None:
            made.say(said)

        made = Context(
            folder=self.folder,
            device="cpu",
            save_every=save_every,
            allow_import=(),
            say=self.said.append,
            announce=announce,
            must_leave=lambda: self.leave,
            patience=Patience(self.troubles.append, stop, sleep, lambda: self.now),
        )
        return made

    def task(self, number: int = 1, **changes: Any) -> Task:
        leg = self.folder.leg_folder(0, 1)
        task = Task(
            kind="train",
            folder=f"{leg}/attempt-{number}",
            worker="w",
            attempt=number,
            order=f"{leg}/order.json",
        ).model_copy(update=changes)
        self.folder.give_task(task)
        self.folder.assign("w", Assignment(task=task.folder))
        return task


def make_bench(root: Path) -> Bench:
    """Begin a run in a folder, as far as its member's first order."""
    folder = RunFolder(root)
    owner = folder.claim(OWNER.model_copy(update={"spec": SPEC}))
    made = Bench(folder, Order.model_construct())
    first = Task(kind="prepare", folder="prepare/attempt-1", worker="w", attempt=1)
    folder.give_task(first)
    run = folder.freeze(frozen(Ledger(owner), prepare(made.context(), first)))
    made.order = folder.give_order(first_order(run, 0))
    return made


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path / "run")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Failing:
    """A disk on which files with this in their name cannot be written, `times` times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: str, times: float) -> None:
        self.names, self.times, self.failed = names, times, 0
        self.real = disk.write_new
        self.then: Callable[[], object] = lambda: None
        monkeypatch.setattr(disk, "write_new", self)

    def __call__(self, place: Place, content: bytes, **how: bool) -> None:
        if self.names in place.name and self.failed < self.times:
            self.failed += 1
            self.then()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place.name)
        self.real(place, content, **how)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the attempt comes to when nothing happens."""
    made = make_bench(tmp_path_factory.mktemp("whole") / "run")
    return train(made.context(), made.task())


def test_an_outcome_has_the_checksum_of_its_checkpoint(bench: Bench) -> None:
    outcome = train(bench.context(), bench.task())
    assert outcome.outcome == "finished"
    assert outcome.checkpoint is not None
    assert outcome.sha256 == sha256(bench.folder.path(outcome.checkpoint))


def test_saves_take_turns_and_the_newest_is_never_written_over(bench: Bench) -> None:
    before: dict[str, str] = {}
    seen: list[str] = []

    def say(said: Said) -> None:
        if said.saved is None or said.saved_sha256 is None:
            return
        if not seen or seen[-1] != said.saved_sha256:
            if before:  # what was announced last is still as it was
                name, digest = next(iter(before.items()))
                assert sha256(bench.folder.path(name)) == digest
            seen.append(said.saved_sha256)
        before.clear()
        before[said.saved] = said.saved_sha256
        assert sha256(bench.folder.path(said.saved)) == said.saved_sha256

    context = bench.context(save_every=0.0)
    context.say = say
    outcome = train(context, bench.task())
    assert len(seen) >= 3
    assert outcome.checkpoint is not None
    files = bench.folder.contents(f"{bench.folder.leg_folder(0, 1)}/attempt-1")
    assert files == ["checkpoint-1.ckpt", "checkpoint-2.ckpt", "metrics.csv", "task.json"]


def test_a_worker_whose_task_is_gone_saves_nothing_more(bench: Bench) -> None:
    context = bench.context(save_every=0.0)
    task = bench.task()
    saved: list[str] = []

    def say(said: Said) -> None:
        if said.saved is not None and said.saved not in saved:
            saved.append(said.saved)
            bench.folder.assign("w", Assignment(task=None))  # it was given up

    context.say = say
    with pytest.raises(TaskGone):
        train(context, task)
    assert saved == [f"{task.folder}/checkpoint-1.ckpt"]
    assert not bench.folder.path(f"{task.folder}/checkpoint-2.ckpt").exists()


def test_a_worker_whose_attempt_has_an_outcome_saves_nothing_more(bench: Bench) -> None:
    """The controller gave it up, and was stopped before it took the assignment away."""
    context = bench.context(save_every=0.0)
    task = bench.task()
    saved: list[str] = []

    def say(said: Said) -> None:
        if said.saved is not None and said.saved not in saved:
            saved.append(said.saved)
            bench.folder.settle(task.folder, Outcome(outcome="abandoned", checkpoint=said.saved))

    context.say = say
    with pytest.raises(TaskGone):
        train(context, task)
    assert saved == [f"{task.folder}/checkpoint-1.ckpt"]
    assert not bench.folder.path(f"{task.folder}/checkpoint-2.ckpt").exists()


def test_a_worker_whose_task_is_gone_stops_training_at_its_next_look(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saves nothing for long, and works for nobody."""
    monkeypatch.setattr(train_task, "LOOK_EVERY", 0.0)
    context = bench.context()
    task = bench.task()
    steps: list[float] = []

    def say(said: Said) -> None:
        if said.doing.startswith("training"):
            steps.append(said.epoch or 0.0)
            bench.folder.assign("w", Assignment(task=None))

    context.say = say
    with pytest.raises(TaskGone):
        train(context, task)
    assert len(steps) == 1


def test_an_order_that_was_changed_since_it_was_given_is_not_trained_on(bench: Bench) -> None:
    task = bench.task(order_sha256=bench.order.sha256())
    path = bench.folder.path(f"{bench.folder.leg_folder(0, 1)}/order.json")
    given = path.read_text()
    path.write_text(given.replace('"epochs": 2', '"epochs": 3'))
    with pytest.raises(InputError, match=r"gen-001/order\.json: was changed since it was given"):
        train(bench.context(), task)
    path.write_text(given)
    assert train(bench.context(), task).outcome == "finished"


def test_an_order_is_what_it_decides_in_whatever_order_it_says_so(bench: Bench) -> None:
    def sha256_of(values: dict[str, float], **changes: object) -> str:
        update = {"hyperparameters": values, **changes}
        return bench.order.model_copy(update=update).sha256()

    one = sha256_of({"a": 0.1, "b": 2.0})
    assert sha256_of({"b": 2.0, "a": 0.1}, format=1, why="else") == one
    assert sha256_of({"a": 0.1, "b": 2.5}) != one
    assert sha256_of({"a": 0.1, "b": 2.0}, copied=True) != one


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(bytes(content))


def of_another(path: Path) -> None:
    other = bytearray(path.read_bytes())
    path.write_bytes(bytes(other) + b"\0")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [cut, flip, of_another, Path.unlink, pipe, a_folder])
@pytest.mark.parametrize("resume", [True, False])
def test_a_start_that_is_damaged_is_told_and_nothing_is_trained(
    bench: Bench, harm: Callable[[Path], None], resume: bool
) -> None:
    first = train(bench.context(), bench.task())
    assert first.checkpoint is not None
    harm(bench.folder.path(first.checkpoint))
    task = bench.task(2, start_from=first.checkpoint, start_sha256=first.sha256, resume=resume)
    found = train(bench.context(), task)
    assert (found.outcome, found.damaged) == ("failed", first.checkpoint)
    assert found.reason is not None
    assert first.checkpoint in found.reason
    assert "damaged" in found.reason or "gone" in found.reason
    assert bench.folder.contents(task.folder) == ["task.json"]


def test_a_damaged_start_without_a_checksum_is_noticed_by_what_is_in_it(bench: Bench) -> None:
    first = train(bench.context(), bench.task())
    assert first.checkpoint is not None
    cut(bench.folder.path(first.checkpoint))
    task = bench.task(2, start_from=first.checkpoint, resume=True)  # as the first format has it
    assert train(bench.context(), task).damaged == first.checkpoint


def test_a_save_of_another_kind_of_device_is_told_and_not_gone_on_with(bench: Bench) -> None:
    """A GPU's generator has 16 bytes, which say nothing to a CPU's. A copy needs none of them."""
    first = train(bench.context(), bench.task())
    assert first.checkpoint is not None
    path = bench.folder.path(first.checkpoint)
    saved = load_file(path)
    saved["drawer"]["generator"] = torch.zeros(16, dtype=torch.uint8)
    path.unlink()
    digest = save_file(path, saved)
    start = {"start_from": first.checkpoint, "start_sha256": digest}
    found = train(bench.context(), bench.task(2, resume=True, **start))
    assert found.damaged == first.checkpoint
    assert found.reason is not None
    assert "was saved on another kind of device; expected one saved on a cpu" in found.reason
    copied = train(bench.context(), bench.task(3, resume=False, **start))
    assert copied.outcome == "finished"


def unreadable(
    monkeypatch: pytest.MonkeyPatch, at: Bench, module: ModuleType, reader: str, *, until: float
) -> None:
    """Let what a function reads lie on a bad sector until a time on the bench's clock."""
    real = getattr(module, reader)

    def read(path: Path, *more: Any) -> Any:
        if at.now < until:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path, *more)

    monkeypatch.setattr(module, reader, read)


def test_a_bad_sector_under_a_start_is_damage_after_ten_minutes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(bench.context(), bench.task())
    unreadable(monkeypatch, bench, start, "_sha256", until=float("inf"))
    task = bench.task(2, start_from=first.checkpoint, start_sha256=first.sha256, resume=True)
    found = train(bench.context(), task)
    assert (found.outcome, found.damaged) == ("failed", first.checkpoint)
    assert "cannot be read for 10 minutes: the disk reports input/output" in (found.reason or "")
    assert bad_sector.UNREADABLE <= bench.now < bad_sector.UNREADABLE + 10
    assert bench.troubles == ["the disk reports input/output errors"]
    assert bench.folder.contents(task.folder) == ["task.json"]


def test_a_start_that_can_be_read_again_before_is_used(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(bench.context(), bench.task())
    unreadable(monkeypatch, bench, start, "_sha256", until=bad_sector.UNREADABLE - 10)
    task = bench.task(2, start_from=first.checkpoint, start_sha256=first.sha256, resume=True)
    found = train(bench.context(), task)
    assert (found.outcome, found.score) == ("finished", whole.score)


def test_a_disk_that_fails_as_a_whole_is_waited_for_and_blames_no_checkpoint(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(bench.context(), bench.task())
    unreadable(monkeypatch, bench, start, "_sha256", until=10 * bad_sector.UNREADABLE)
    failing = Failing(monkeypatch, "trial", times=float("inf"))
    task = bench.task(2, start_from=first.checkpoint, start_sha256=first.sha256, resume=True)
    found = train(bench.context(), task)
    assert failing.failed > 100
    assert (found.outcome, found.score) == ("finished", whole.score)


def test_a_save_that_the_disk_refuses_costs_nothing_but_itself(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch, "checkpoint", times=2)
    outcome = train(bench.context(save_every=0.0), bench.task())
    assert failing.failed == 2
    assert bench.troubles == ["the disk is full", None]
    assert (outcome.outcome, outcome.score, outcome.epoch) == ("finished", whole.score, whole.epoch)


def test_no_save_is_written_before_the_one_before_is_told_of(bench: Bench, whole: Outcome) -> None:
    """What was told of last is all that anybody can go on from, whatever dies now."""
    told: list[Said] = []
    refused = 0

    def announce(said: Said) -> None:
        nonlocal refused
        assert said.saved is not None
        for before in told[-1:]:  # it is still as it was told
            assert before.saved is not None
            assert sha256(bench.folder.path(before.saved)) == before.saved_sha256
        if len(told) == 1 and refused < 3:
            refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        told.append(said)

    context = bench.context(save_every=0.0)
    context.announce = announce
    outcome = train(context, bench.task())
    assert refused == 3
    assert len(told) >= 3
    assert (outcome.outcome, outcome.score) == ("finished", whole.score)
    assert (told[-1].saved, told[-1].saved_sha256) == (outcome.checkpoint, outcome.sha256)


def test_the_last_save_of_a_generation_waits_for_the_disk(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failing(monkeypatch, "checkpoint", times=20)
    outcome = train(bench.context(), bench.task())
    assert failing.failed == 20
    assert bench.troubles == ["the disk is full", None]
    assert bench.now > 60
    assert (outcome.outcome, outcome.score) == ("finished", whole.score)


def test_who_must_leave_while_the_disk_is_full_leaves_what_was_saved_before(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = bench.context(save_every=0.0)
    saved: list[Said] = []
    failing = Failing(monkeypatch, "checkpoint", times=0)

    def say(said: Said) -> None:
        if said.saved is not None and not saved:
            saved.append(said)
            failing.times = float("inf")
            failing.then = lambda: setattr(bench, "leave", True)

    context.say = say
    outcome = train(context, bench.task())
    first = saved[0]
    assert outcome.outcome == "saved"
    assert (outcome.checkpoint, outcome.sha256) == (first.saved, first.saved_sha256)
    assert (outcome.epoch, outcome.steps) == (first.saved_epoch, first.saved_steps)
    # And from there the next attempt goes on to the same result.
    bench.leave, failing.times = False, 0
    again = bench.task(2, start_from=outcome.checkpoint, start_sha256=outcome.sha256, resume=True)
    resumed = train(bench.context(), again)
    assert (resumed.outcome, resumed.score) == ("finished", whole.score)


def test_an_order_that_is_seen_late_is_waited_for(bench: Bench) -> None:
    task = bench.task()
    path = bench.folder.path(f"{bench.folder.leg_folder(0, 1)}/order.json")
    content = path.read_bytes()
    path.unlink()
    context = bench.context()
    patient = context.patience

    def sleep(seconds: float) -> None:
        bench.now += seconds
        if bench.now > 3 and not path.exists():
            path.write_bytes(content)

    patient.sleep = sleep
    assert train(context, task).outcome == "finished"
    assert bench.now > 3


def test_data_on_a_bad_sector_stop_the_run_after_ten_minutes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(monkeypatch, bench, hdf5, "fingerprint", until=math.inf)
    with pytest.raises(InputError) as caught:
        train(bench.context(), bench.task())
    (path,) = bench.context().data_paths(bench.context().run())
    assert str(caught.value).startswith(
        f"{path}: cannot be read for 10 minutes: the disk reports input/output errors; expected"
    )
    assert bad_sector.UNREADABLE <= bench.now < bad_sector.UNREADABLE + 10


def test_data_that_can_be_read_again_before_are_used(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(monkeypatch, bench, hdf5, "fingerprint", until=bad_sector.UNREADABLE - 10)
    assert train(bench.context(), bench.task()).score == whole.score


def test_data_on_a_disk_that_fails_as_a_whole_are_waited_for(
    bench: Bench, whole: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(monkeypatch, bench, hdf5, "fingerprint", until=10 * bad_sector.UNREADABLE)
    monkeypatch.setattr(Path, "iterdir", _no_list)
    assert train(bench.context(), bench.task()).score == whole.score


def _no_list(path: Path) -> Iterator[Path]:
    raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


def test_who_cannot_ask_whether_a_task_is_still_theirs_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def unreadable(_folder: RunFolder, _life: str) -> None:
        asked.append(1)
        assert bench.now < 3600, "it is waited for"
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    task = bench.task()
    monkeypatch.setattr(RunFolder, "assignment", unreadable)
    assert train(bench.context(), task).outcome == "finished"
    assert asked
