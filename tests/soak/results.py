"""What long trials came to, as a table: tried, lost generations, different decisions."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

TELL_EVERY = 60.0  # seconds


@dataclass
class Row:
    """One kind of fault."""

    fault: str
    tried: int = 0
    lost: int = 0  # members' generations that nobody finished
    different: int = 0  # runs with another history
    broken: int = 0  # runs that did not end, or did what they must not on the way
    not_reached: int = 0  # the run was over before it could be made


@dataclass
class Table:
    """Rows by fault, in the order in which they came."""

    rows: dict[str, Row] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def note(
        self,
        fault: str,
        *,
        struck: bool,
        lost: int,
        different: list[str],
        words: str,
        tried: int = 1,
    ) -> None:
        """Count one trial; what went wrong is printed at once."""
        row = self.rows.setdefault(fault, Row(fault))
        if not struck:
            row.not_reached += 1
        else:
            row.tried += 1
        row.lost += lost
        row.different += bool(different)
        if lost or different:
            self.wrong.append(f"{words}: {lost} lost; different: {', '.join(different[:5])}")
            print(self.wrong[-1], flush=True)
        self._tell_progress(fault)

    def note_error(self, fault: str, words: str) -> None:
        """Count a trial in which something was seen that must not be."""
        row = self.rows.setdefault(fault, Row(fault))
        row.tried += 1
        row.broken += 1
        self.wrong.append(words)
        print(words, flush=True)
        self._tell_progress(fault)

    def _tell_progress(self, fault: str) -> None:
        now = time.monotonic()
        if now - self.told < TELL_EVERY:
            return
        self.told = now
        done = sum(row.tried + row.not_reached for row in self.rows.values())
        line = f"{now - self.began:.0f} s: {done} trials, {len(self.wrong)} wrong; now: {fault}"
        print(line, file=sys.stderr, flush=True)

    def show(self) -> None:
        """Print the table in Markdown, and end the program: with 1 if anything went wrong."""
        print(
            "\n| fault | tried | lost generations | different decisions | else wrong | too late |"
        )
        print("|---|---|---|---|---|---|")
        for row in self.rows.values():
            print(
                f"| {row.fault} | {row.tried} | {row.lost} | {row.different} | {row.broken} "
                f"| {row.not_reached} |"
            )
        print(f"\n{time.monotonic() - self.began:.0f} s")
        sys.exit(1 if self.wrong else 0)
