"""The machine's kernel settings that a kubelet changes: remembered, and put back."""

from __future__ import annotations

from pathlib import Path

NAMES = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")


def settings() -> dict[str, str]:
    """Return them as they are."""
    return {name: (Path("/proc/sys") / name).read_text().strip() for name in NAMES}


def put_back(before: dict[str, str]) -> None:
    """Set them to what they were."""
    for name, value in before.items():
        (Path("/proc/sys") / name).write_text(value)
