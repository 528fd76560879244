"""The report of a run: one self-contained HTML file, to be read in a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autolfads_trainer.evaluation.values import Evaluation
from autolfads_trainer.results.history import History
from autolfads_trainer.results.report.drawing import style
from autolfads_trainer.results.report.examples import TrialExamples
from autolfads_trainer.results.report.health import Verdict, judge
from autolfads_trainer.results.report.page import page

__all__ = ["TrialExamples", "Verdict", "judge", "write_report"]


def write_report(
    path: Path,
    history: History,
    summary: Mapping[str, object],
    trials: TrialExamples,
    notes: Sequence[str] = (),
    evaluations: Sequence[Evaluation] = (),
) -> None:
    """Write the report of a run to `path`.

    `summary` holds the key numbers (`best_member`, `epochs`, `bps`, `co_bps`, `fp_bps`, `r2`,
    `seconds`, `seed`; other plain values are listed after them) and `version`, our own, or
    `versions`, a mapping. `notes` are lines for the reader, such as configuration keys that were
    ignored. `evaluations` are the sessions' scores: without any, the page has no such section.
    The same input gives the same file; nothing in it is fetched from anywhere, and all text is
    escaped.
    """
    with style():
        text = page(history, summary, trials, notes, evaluations)
    path.write_text(text, encoding="utf-8", newline="")
