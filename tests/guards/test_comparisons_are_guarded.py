"""Every comparison of the algorithm is pinned by a test: turned round, some test fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[1] / "tools" / "flip_comparisons.py"


def _flip(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_comparison_of_the_algorithm_can_be_turned_round_unnoticed() -> None:
    result = _flip()
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_comparison_without_a_test_is_reported_with_its_line() -> None:
    result = _flip("--file", "stopping.py", "--tests", "test_pbt_schedule.py")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "stopping.py:" in result.stdout
    assert "`patience < 1` to `patience >= 1`" in result.stdout
    assert "`patience < 1` to `patience <= 1`" in result.stdout
