"""Controller and workers each see the run through a mount of their own, which sees names late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from disk_played import SMALL, DiskPool, in_a_hurry, played_on
from disk_runs import a_run, troubles
from ledger_examples import history
from mounts import Volume, mounted

LATE, REAL_LATE = 0.15, 0.6  # seconds; `tests/soak/disks.py` has three


@contextmanager
def two_mounts(place: Path, controller: float, workers: float) -> Iterator[tuple[Volume, Volume]]:
    """Mount a folder twice; names are seen so many seconds late."""
    source = place / "source"
    source.mkdir()
    with (
        mounted(source, place / "a", see_late=controller) as one,
        mounted(source, place / "b", see_late=workers) as other,
    ):
        yield one, other


@pytest.mark.parametrize(
    ("controller", "workers"),
    [(0, LATE), (LATE, 0), (LATE, LATE)],
    ids=["workers", "controller", "both"],
)
def test_names_that_are_seen_late_change_nothing(
    controller: float, workers: float, tmp_path: Path
) -> None:
    calm = tmp_path / "calm" / "p"
    played_on(calm, DiskPool(calm, SMALL))
    with two_mounts(tmp_path, controller, workers) as (one, other), in_a_hurry():
        pool = DiskPool(other.path / "p", SMALL)
        said = played_on(one.path / "p", pool)

    assert history(tmp_path / "source" / "p") == history(calm)
    assert [trouble for trouble in (*said, *pool.said) if trouble] == []


def test_real_workers_that_see_names_late(tmp_path: Path) -> None:
    with (
        two_mounts(tmp_path, 0.0, REAL_LATE) as (one, other),
        a_run(tmp_path / "run", one.source / "run", one.path / "run") as run,
    ):
        came = run.came(run.finish(worker_roots=[str(other.path / "run")]))

    assert came.well, came
    assert troubles(came.said) == []
