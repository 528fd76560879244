"""Metrics that are lost cost their lines in the fit log, and not the results of the run."""

from __future__ import annotations

import csv
import errno
import math
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from test_training_task_and_its_disk import (
    Bench,
    bench,  # noqa: F401  (a fixture)
    unreadable,
)

from autolfads_trainer.disk import StoreError
from autolfads_trainer.records import Task
from autolfads_trainer.tasks import bad_sector
from autolfads_trainer.tasks import export as results_export
from autolfads_trainer.tasks.export import export
from autolfads_trainer.tasks.train import train


def epochs_in_fitlog(at: Bench) -> list[int]:
    path = at.folder.path("export/attempt-1/results/fitlog.csv")
    with path.open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def trained_and_given(at: Bench) -> tuple[Path, Task]:
    """Train, and give the export; return the path of the metrics, and the task."""
    task = at.task()
    trained = at.folder.settle(task.folder, train(at.context(), task))
    last = Task(
        kind="export",
        folder="export/attempt-1",
        worker="w",
        attempt=1,
        start_from=trained.checkpoint,
        start_sha256=trained.sha256,
        best=(0, 1),
        reached=(1,),
    )
    at.folder.give_task(last)
    return at.folder.path(f"{task.folder}/metrics.csv"), last


def exported(at: Bench, harm: Callable[[Path], object]) -> str | None:
    """Train, do something to the metrics, export; return what the outcome says."""
    metrics, last = trained_and_given(at)
    harm(metrics)
    outcome = export(at.context(), last)
    assert outcome.outcome == "finished"
    assert at.folder.path("export/attempt-1/results/autolfads.zip").exists()
    assert outcome.reason is None or str(metrics) in outcome.reason
    return outcome.reason


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def not_text(path: Path) -> None:
    path.write_bytes(b"\xff\xfe epoch")


def test_all_epochs_are_in_the_fit_log(bench: Bench) -> None:  # noqa: F811
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
    bench: Bench,  # noqa: F811
    harm: Callable[[Path], object],
) -> None:
    reason = exported(bench, harm)
    assert reason is not None
    assert reason.startswith("metrics are lost but for their last epoch: ")
    assert epochs_in_fitlog(bench) == [1]
    report = bench.folder.path("export/attempt-1/results/report.html").read_text()
    assert "metrics are lost but for their last epoch" in report


def test_results_are_not_written_through_a_link(bench: Bench, tmp_path: Path) -> None:  # noqa: F811
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "summary.json").write_text("precious")
    _, last = trained_and_given(bench)
    bench.folder.path("export/attempt-1/results").symlink_to(outside)
    with pytest.raises(StoreError, match="results: is a link"):
        export(bench.context(), last)
    assert [path.read_text() for path in outside.iterdir()] == ["precious"]


def test_a_missing_file_is_waited_for_with_a_word(bench: Bench) -> None:  # noqa: F811
    exported(bench, Path.unlink)
    doing = [said.doing for said in bench.said]
    assert "waiting up to 90 s for a missing metrics.csv" in doing


def test_metrics_on_a_bad_sector_are_lost_after_ten_minutes(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unreadable(monkeypatch, bench, results_export, "read_rows", until=math.inf)
    reason = exported(bench, lambda _: None)
    assert "cannot be read for 10 minutes: the disk reports input/output errors" in (reason or "")
    assert epochs_in_fitlog(bench) == [1]
    assert bad_sector.UNREADABLE <= bench.now < bad_sector.UNREADABLE + 10
    assert "the disk reports input/output errors" in bench.troubles


def test_metrics_that_can_be_read_again_before_are_not_lost(
    bench: Bench,  # noqa: F811
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
