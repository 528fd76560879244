"""Deciding a whole run again, and saying where its records are not what they should be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from autolfads_operator.findings import Finding, in_a_line, whole
from autolfads_operator.replay.attempts import check_attempts
from autolfads_operator.replay.course import check_end, check_frozen, is_another_run
from autolfads_operator.replay.orders import check_orders
from autolfads_operator.replay.records import Records, ledger_of


@dataclass(frozen=True)
class Report:
    """What was checked, and what was found."""

    orders: int
    generations: int
    over: bool
    findings: tuple[Finding, ...]

    def only(self, known: Collection[Finding]) -> Report:
        """Return the report without findings that are not `known`."""
        return replace(self, findings=tuple(f for f in self.findings if f in known))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, with `version`, which is raised when a key changes its meaning."""
        return {
            "version": 1,
            "orders": self.orders,
            "generations": self.generations,
            "over": self.over,
            "findings": [vars(finding) for finding in self.findings],
        }

    def __str__(self) -> str:
        so_far = "" if self.over else ", so far: the run is not over"
        return (
            f"{_counted(self.orders, 'order')} of {_counted(self.generations, 'generation')} "
            f"checked: all are what they should be{so_far}"
        )


def replay(records: Records) -> Report:
    """Derive every decision again, from seed, outcomes and the scores that orders say they used.

    An unfinished run is checked as far as it is. In asynchronous mode two things depend on the hour
    and cannot be derived: how new a score was known, and how far those who were ahead went before
    the last member made the improvement rule hold.
    """
    findings = list(check_frozen(records))
    if records.run is not None and is_another_run(records):
        findings.append(whole("run.json", "is another run's", "the run that was prepared"))
    elif any(finding.what == "population" for finding in findings):
        pass  # who is missing in a population of any size is no news
    elif records.run is not None:
        findings += _of_the_run(records)
    return Report(
        orders=len(records.orders),
        generations=max((generation for _, generation in records.orders), default=0),
        over=records.end is not None,
        findings=tuple(sorted(dict.fromkeys(findings), key=_when)),
    )


def _of_the_run(records: Records) -> list[Finding]:
    run = records.run
    assert run is not None  # noqa: S101  (asked for frozen runs only)
    if not records.orders and (records.trained or records.export):
        return [whole("members", "is missing", "the records of what was trained")]
    try:
        ledger = ledger_of(records)
        findings = list(check_orders(records, ledger, run))
    except (ValueError, ArithmeticError) as error:  # settings that no run can have
        return [
            whole(
                "run.json", f"cannot be used ({in_a_line(error)})", "settings that a run can have"
            )
        ]
    findings += check_attempts(records, ledger)
    findings += check_end(records)
    return findings


def _when(finding: Finding) -> tuple[int, bool]:
    """Return when a file was written: what is wrong first can be the cause of what is wrong later.

    In one generation orders come before what was done for them.
    """
    parts = finding.file.split("/")
    if parts[0] == "members":
        number = parts[2].removeprefix("gen-") if len(parts) > 2 else ""
        return (int(number) if number.isdecimal() else 0, not finding.file.endswith("order.json"))
    early = parts[0] in ("owner.json", "prepare", "run.json")
    return (-1 if early else 2**63, False)


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'s' * (number != 1)}"
