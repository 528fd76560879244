"""Whatever a process was just doing to the disk when it died: started again, the run is the same.

Real processes, a few of the points; `tests/soak/kills.py` tries them all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from deaths import death_at, every_point
from house import ASYNCHRONOUS

TRIED, APART = 5, 29
TRIED_ASYNCHRONOUS = 2


def test_there_are_many_points_of_both_roles_and_of_all_calls() -> None:
    points = every_point()
    assert len(points) >= 60
    for role, calls in {
        "controller": "mkdir open write fsync link replace unlink",
        "worker": "mkdir open write fsync link replace unlink",
    }.items():
        assert {point.call for point in points if point.role == role} >= set(calls.split())
    kinds = {point.kind for point in points}
    assert kinds >= {
        "owner",
        "run",
        "order",
        "end",
        "assignment",
        "status",
        "checkpoint",
        "metrics",
    }
    for kind in ("prepare", "train", "export"):
        assert {f"task of {kind}", f"outcome of {kind}"} <= kinds


@pytest.mark.parametrize("number", range(TRIED))
def test_a_death_at_a_point_changes_nothing(number: int, tmp_path: Path) -> None:
    points = every_point()
    point = points[(7 + APART * number) % len(points)]
    came = death_at(point, tmp_path / "house", way=number)
    assert came.well, f"{point}: {came}"


@pytest.mark.parametrize("number", range(TRIED_ASYNCHRONOUS))
def test_every_order_is_right_where_nobody_waits_for_the_slowest(
    number: int, tmp_path: Path
) -> None:
    points = every_point(ASYNCHRONOUS)
    point = points[(41 + 2 * APART * number) % len(points)]
    came = death_at(point, tmp_path / "house", way=number, mode=ASYNCHRONOUS)
    assert came.well, f"{point}: {came}"
