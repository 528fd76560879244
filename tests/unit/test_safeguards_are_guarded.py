"""Every safeguard of a run is pinned by a test: turned off, some test fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tests" / "tools" / "turn_off_safeguards.py"


def test_every_safeguard_stands_where_its_entry_says() -> None:
    """Told in a second, and all at once."""
    sys.path.insert(0, str(TOOL.parent))
    try:
        from safeguards import SAFEGUARDS  # noqa: PLC0415
    finally:
        sys.path.remove(str(TOOL.parent))
    names = [guard.name for guard in SAFEGUARDS]
    assert len(set(names)) == len(names)
    found = {guard.name: (ROOT / guard.file).read_text().count(guard.text) for guard in SAFEGUARDS}
    assert {name: times for name, times in found.items() if times != 1} == {}


@pytest.mark.timeout(1800)
def test_no_safeguard_can_be_turned_off_unnoticed() -> None:
    # All of these tests are run beside this one: here it is enough to see that they can pass.
    command = [sys.executable, str(TOOL), "--processes", "2", "--trusted"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
