"""Looking back at a run: whether its records are what they should be, and the story they tell.

`records.py` reads a run's folder; all else is pure. A run is judged by the very functions that
plan it (`controller.orders`, `controller.starts`, `controller.plan`), fed with what was there.
"""

from __future__ import annotations

from autolfads_operator.findings import Finding

from .check import Report, replay
from .records import Records, read_records

__all__ = ["Finding", "Records", "Report", "read_records", "replay"]
