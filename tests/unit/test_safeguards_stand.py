"""Every safeguard of a run stands where `make test-guards` turns it off."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tests" / "tools"


def test_every_safeguard_stands_where_its_entry_says() -> None:
    """Told in a second, and all at once."""
    sys.path.insert(0, str(TOOLS))
    try:
        from safeguards import SAFEGUARDS  # noqa: PLC0415
    finally:
        sys.path.remove(str(TOOLS))
    names = [guard.name for guard in SAFEGUARDS]
    assert len(set(names)) == len(names)
    found = {guard.name: (ROOT / guard.file).read_text().count(guard.text) for guard in SAFEGUARDS}
    assert {name: times for name, times in found.items() if times != 1} == {}
