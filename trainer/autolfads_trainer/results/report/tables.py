"""The report's tables: the key numbers, and every decision."""

from __future__ import annotations

from collections.abc import Mapping

from autolfads_trainer.results.history import History, Leg
from autolfads_trainer.results.report.hyperparameters import short_names
from autolfads_trainer.results.report.words import duration, number, text

# key in the summary, what the reader sees, what it means
_NUMBERS = (
    ("best_member", "best member", ""),
    ("best_generation", "best generation", ""),
    ("population", "population", "members trained side by side"),
    ("generations", "generations", ""),
    ("epochs", "epochs", "of training behind the result"),
    ("best_epoch", "epoch of the result", ""),
    ("metric", "metric", "by which members were compared"),
    ("score", "best score", "lower is better"),
    ("bps", "bps", "bits per spike beyond each channel’s mean rate, held-in channels"),
    ("co_bps", "co_bps", "the same for channels held out from the model’s input"),
    ("fp_bps", "fp_bps", "the same for time steps after the model’s input ends"),
    ("r2", "R²", "of inferred rates to true rates"),
    ("seconds", "time", "spent in training, all workers together"),
    ("seed", "seed", ""),
)
_ELSEWHERE = {
    "name",
    "format",
    "version",
    "versions",
    "notes",
}  # told elsewhere


def key_numbers(summary: Mapping[str, object], history: History) -> str:
    """Return the table of the summary's numbers: the known ones first, then all that are plain."""
    best = {"best_member": history.best[0], "seed": history.seed}
    values = {**best, **summary}
    known = {key for key, _, _ in _NUMBERS}
    rows = []
    for key, label, meaning in _NUMBERS:
        if key in values:
            shown = duration(values[key]) if key == "seconds" else number(values[key])
            rows.append(_row(label, shown, meaning))
    rows += [
        _row(text(key), number(values[key]), "")
        for key in sorted(set(values) - known - _ELSEWHERE)
        if isinstance(values[key], str | int | float | None)
    ]
    return f'<table class="numbers"><tbody>{"".join(rows)}</tbody></table>'


def decisions(history: History) -> str:
    """Return the table of all legs: where each came from, with what, what came of it, and why."""
    paths = list(dict.fromkeys(path for leg in history.legs for path in leg.hyperparameters))
    names = short_names(paths)
    heads = ["generation", "member", "started from", "epochs", "score", "why"]
    heads += [text(names[path]) for path in paths]
    best = {leg.key for leg in history.best_lineage()}
    body = "".join(_decision(leg, paths, leg.key in best) for leg in history.ordered())
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(label: str, value: str, meaning: str) -> str:
    return f'<tr><th>{label}</th><td>{value}</td><td class="means">{meaning}</td></tr>'


def _decision(leg: Leg, paths: list[str], best: bool) -> str:
    cells = [str(leg.generation), str(leg.member), _origin(leg)]
    cells.append(f"{leg.start_epoch}–{leg.end_epoch - 1}" if leg.epochs else "none")
    cells = [f"<td>{cell}</td>" for cell in cells]
    cells.append('<td class="lost">lost</td>' if leg.lost else f"<td>{leg.score:.5g}</td>")
    cells.append(f'<td class="why">{text(leg.why)}</td>')
    values = (leg.hyperparameters.get(path) for path in paths)
    cells += ["<td></td>" if value is None else f"<td>{value:.3g}</td>" for value in values]
    opening = '<tr class="best">' if best else "<tr>"
    return f"{opening}{''.join(cells)}</tr>"


def _origin(leg: Leg) -> str:
    if leg.parent is None:
        return "new"
    if leg.copied:
        return f"member {leg.parent[0]}, generation {leg.parent[1]}"
    return "itself"
