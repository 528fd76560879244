"""Every safeguard of a run is pinned by a test: turned off, some test fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "turn_off_safeguards.py"


@pytest.mark.timeout(1800)
def test_no_safeguard_can_be_turned_off_unnoticed() -> None:
    # All of these tests are run by `make test`: here it is enough to see that they can pass.
    command = [sys.executable, str(TOOL), "--processes", "2", "--trusted"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
