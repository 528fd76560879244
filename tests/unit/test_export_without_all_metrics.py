"""Metrics that are lost cost their lines in the fit log, and not the results of the run."""

from __future__ import annotations

import csv
import errno
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_training_task_and_its_disk import Bench, make_bench, unreadable

from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import Outcome, Task
from autolfads_trainer.store import RunFolder
from autolfads_trainer.tasks import bad_sector
from autolfads_trainer.tasks import export as results_export
from autolfads_trainer.tasks.export import export
from autolfads_trainer.tasks.train import train

EXPORT = "export/attempt-1"


def epochs_in_fitlog(at: Bench) -> list[int]:
    path = at.folder.path(f"{EXPORT}/results/fitlog.csv")
    with path.open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A run that is trained, with its export given: tests have copies, for training takes long."""
    at = make_bench(tmp_path_factory.mktemp("trained") / "run")
    task = at.task()
    outcome = at.folder.settle(task.folder, train(at.context(), task))
    last = Task(
        kind="export",
        folder=EXPORT,
        worker="w",
        attempt=1,
        start_from=outcome.checkpoint,
        start_sha256=outcome.sha256,
        best=(0, 1),
        reached=(1,),
    )
    at.folder.give_task(last)
    return at


@pytest.fixture
def bench(trained: Bench, tmp_path: Path) -> Bench:
    shutil.copytree(trained.folder.root, tmp_path / "run")
    return Bench(RunFolder(tmp_path / "run"), trained.order)


def export_from(at: Bench) -> Outcome:
    last = at.folder.task(EXPORT)
    assert last is not None
    return export(at.context(), last)


def exported(at: Bench, harm: Callable[[Path], object]) -> str | None:
    """Do something to the metrics, export; return what the outcome says."""
    metrics = at.folder.path(f"{at.folder.leg_folder(0, 1)}/attempt-1/metrics.csv")
    harm(metrics)
    outcome = export_from(at)
    assert outcome.outcome == "finished"
    assert at.folder.path(f"{EXPORT}/results/autolfads.zip").exists()
    assert outcome.reason is None or str(metrics) in outcome.reason
    return outcome.reason


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe epoch")


def test_all_epochs_are_in_the_fit_log(bench: Bench) -> None:
    assert exported(bench, lambda _: None) is None
    assert epochs_in_fitlog(bench) == [0, 1]


def another_number(path: Path) -> None:
    """Change a number of the first epoch: it is a fit log as good as any."""
    head, first, *rest = path.read_text().splitlines(keepends=True)
    fields = first.split(",")
    fields[-1] = "0.123456\n"
    path.write_text("".join([head, ",".join(fields), *rest]))


@pytest.mark.parametrize("harm", [Path.unlink, pipe, cut, not_text, another_number])
def test_lost_metrics_leave_the_last_epoch_and_a_note(
    bench: Bench,
    harm: Callable[[Path], object],
) -> None:
    reason = exported(bench, harm)
    assert reason is not None
    assert reason.startswith("metrics are lost but for their last epoch: ")
    assert epochs_in_fitlog(bench) == [1]
    report = bench.folder.path(f"{EXPORT}/results/report.html").read_text()
    assert "metrics are lost but for their last epoch" in report


def test_results_are_not_written_through_a_link(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "summary.json").write_text("precious")
    bench.folder.path(f"{EXPORT}/results").symlink_to(outside)
    with pytest.raises(StoreError, match="results: is a link"):
        export_from(bench)
    assert [path.read_text() for path in outside.iterdir()] == ["precious"]


def test_a_missing_file_is_waited_for_with_a_word(bench: Bench) -> None:
    exported(bench, Path.unlink)
    doing = [said.doing for said in bench.said]
    assert "waiting up to 90 s for a missing metrics.csv" in doing


def test_metrics_on_a_bad_sector_are_lost_after_ten_minutes(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unreadable(monkeypatch, bench, results_export, "read_rows", until=math.inf)
    reason = exported(bench, lambda _: None)
    assert "cannot be read for 10 minutes: the disk reports input/output errors" in (reason or "")
    assert epochs_in_fitlog(bench) == [1]
    assert bad_sector.UNREADABLE <= bench.now < bad_sector.UNREADABLE + 10
    assert "the disk reports input/output errors" in bench.troubles


def test_metrics_that_can_be_read_again_before_are_not_lost(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unreadable(monkeypatch, bench, results_export, "read_rows", until=bad_sector.UNREADABLE - 10)
    assert exported(bench, lambda _: None) is None
    assert epochs_in_fitlog(bench) == [0, 1]


def test_each_further_file_on_bad_sectors_is_waited_for_a_little() -> None:
    now, broken = 0.0, OSError(errno.EIO, os.strerror(errno.EIO))

    def read(_path: Path) -> None:
        raise broken

    bad = bad_sector.BadSectors(lambda: now, works=lambda _: True)
    for name, seconds in (("a", bad_sector.UNREADABLE), ("b", bad_sector.FURTHER)):
        call, begun = bad.reading(Path(name), read), now
        while True:
            try:
                call()
            except OSError as error:
                assert error is broken
            except bad_sector.Unreadable:
                break
            now += 1
        assert now - begun == seconds


def test_a_disk_that_fails_in_other_ways_meanwhile_is_no_bad_sector() -> None:
    now, numbers = 0.0, [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EIO]

    def read(_path: Path) -> None:
        raise OSError(numbers.pop(0), "no")

    call = bad_sector.BadSectors(lambda: now, works=lambda _: True).reading(Path("a"), read)
    for now in (0.0, 300.0, 500.0, bad_sector.UNREADABLE + 1):  # noqa: B007
        with pytest.raises(OSError, match="no"):
            call()


def test_a_disk_that_comes_back_before_its_trial_has_no_bad_sector(tmp_path: Path) -> None:
    now, broken = 0.0, True

    def read(_path: Path) -> str:
        if broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return "whole"

    def works(_folder: Path) -> bool:
        nonlocal broken
        broken = False
        return True

    call = bad_sector.BadSectors(lambda: now, works).reading(tmp_path / "a", read)
    with pytest.raises(OSError, match="Input/output"):
        call()
    now = bad_sector.UNREADABLE + 1
    assert call() == "whole"
