"""The report's table of scores: how good the rates are, per session and split."""

from __future__ import annotations

from collections.abc import Sequence

from autolfads_trainer.evaluation.table import HEADS, remarks_of, rows_of
from autolfads_trainer.evaluation.values import Evaluation
from autolfads_trainer.results.report.words import text


def scores_table(evaluations: Sequence[Evaluation]) -> str:
    """Return the table; with several sessions, their mean comes last."""
    heads = "".join(f"<th>{head}</th>" for head in ("session", "split", *HEADS.values()))
    body = "".join(
        f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>"
        for row in rows_of(evaluations)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def remarks(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return, escaped, how the fitted scores came about, session by session."""
    several = len(evaluations) > 1
    return [
        text(f"{one.session}: {remark}" if several else remark)
        for one in evaluations
        for remark in remarks_of(one)
    ]
