"""Metrics as CSV: one member's `metrics.csv`, and the whole run's `fitlog.csv`.

The fit log is read by scripts written for the existing pipeline (`pd.read_csv(path, index_col=0)`,
then grouped by `worker_id`), so its names and its shape are an interface.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from autolfads_trainer.disk import opened_plain
from autolfads_trainer.results.history import History, Row
from autolfads_trainer.training.parts import scores_of

_METRICS = (
    "loss",
    "recon",
    "recon_smth",
    "bps",
    "co_bps",
    "fp_bps",
    "r2",
    "wt_l2",
    "wt_l2/ramp",
    "wt_kl",
    "wt_kl/ic",
    "wt_kl/co",
    "wt_kl/ramp",
)
_HYPERPARAMETERS = (
    "lr_init",
    "dropout_rate",
    "cd_rate",
    "l2_ic_enc_scale",
    "l2_ci_enc_scale",
    "l2_gen_scale",
    "l2_con_scale",
    "kl_ic_scale",
    "kl_co_scale",
    "weight_decay",
)
_KNOWN = (
    "epoch",
    "worker_id",
    *(
        f"{split}/{metric}"
        for split in ("train", "valid")
        for metric in _METRICS
        if (split, metric) != ("train", "recon_smth")  # validation alone is smoothed
    ),
    *(f"hp/{name}" for name in _HYPERPARAMETERS),
)
_SESSION = re.compile(r"(.*/sess)(\d+)")
_RANK = {name: rank for rank, name in enumerate(_KNOWN)}


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write one member's metrics, one line per epoch, so that `read_rows` gives them back exactly.

    Raises `ValueError` where a row has no epoch.
    """
    path.write_text(rows_text(rows), encoding="utf-8", newline="")


def rows_text(rows: Sequence[Row]) -> str:
    """Return what `write_rows` writes. NaN is an empty field: for us, NaN and missing are one."""
    columns = _columns({"epoch", *(name for row in rows for name in row)})
    return _csv(columns, ([_field(row, name) for name in columns] for row in rows))


def read_rows(path: Path, sha256: str | None = None) -> list[Row]:
    """Read what `write_rows` wrote; what was missing or NaN is absent from its row.

    Raises `ValueError`, naming file and line, where the file is not of that form or has not the
    checksum that is given, and `OSError` where it is no plain file.
    """
    with opened_plain(path) as plain:
        content = plain.read()
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise ValueError(f"{path}: was changed since it was written")
    with io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="") as file:
        lines = csv.reader(file)
        columns = next(lines, [])
        if "epoch" not in columns or len(set(columns)) < len(columns):
            raise ValueError(f"{path}: the first line has no or repeated columns; expected 'epoch'")
        rows = []
        for values in lines:
            if len(values) != len(columns):
                found = f"{len(values)} fields; expected {len(columns)}"
                raise ValueError(f"{path}: line {lines.line_num} has {found}")
            try:
                row = {
                    name: float(value) for name, value in zip(columns, values, strict=True) if value
                }
            except ValueError as error:
                raise ValueError(f"{path}: line {lines.line_num}: {error}") from None
            if not math.isfinite(row.get("epoch", math.nan)):
                raise ValueError(f"{path}: line {lines.line_num} has no epoch")
            rows.append(row)
    return rows


def write_fitlog(path: Path, history: History) -> None:
    """Write the run's fit log: one row per member (`worker_id`) and epoch, sorted by both.

    Where a member trained an epoch twice (a copy takes over the winner's epoch), the later
    generation counts. Raises `ValueError` where a row has no epoch.
    """
    path.write_text(fitlog_text(history), encoding="utf-8", newline="")


def fitlog_text(history: History) -> str:
    """Return what `write_fitlog` writes."""
    rows: dict[tuple[int, int], Row] = {}
    for leg in history.ordered():
        for row in leg.rows:
            rows[leg.member, _epoch(row)] = row
    # Scripts name columns, also those in which this run has nothing to say (no truth, no forecast).
    there = {name for row in rows.values() for name in row}
    columns = _columns({*_KNOWN, *there, *_of_each_session(there)})
    lines = (
        [str(index), *(_field(row | {"worker_id": member}, name) for name in columns)]
        for index, ((member, _), row) in enumerate(sorted(rows.items(), key=lambda item: item[0]))
    )
    return _csv(["", *columns], lines)


def _of_each_session(there: set[str]) -> Iterator[str]:
    """Yield the names of all sessions' scores, where there are several sessions."""
    found = [_SESSION.fullmatch(name) for name in there if "/recon/sess" in name]
    sessions = 1 + max((int(one[2]) for one in found if one is not None), default=0)
    for split in ("train", "valid"):
        yield from (f"{split}/{name}" for name in scores_of(sessions))


def _columns(names: set[str]) -> list[str]:
    def place(name: str) -> tuple[int, str, int]:
        session = _SESSION.fullmatch(name)  # sess10 comes after sess9
        text, number = (session[1], int(session[2])) if session else (name, 0)
        return _RANK.get(name, len(_RANK)), text, number

    return sorted(names, key=place)


def _field(row: Row, name: str) -> str:
    if name == "epoch":
        return str(_epoch(row))
    value = row.get(name, math.nan)
    if math.isnan(value):
        return ""
    # repr is the shortest text that reads back as the same number
    return str(int(value)) if name == "worker_id" else repr(float(value))


def _epoch(row: Row) -> int:
    value = row.get("epoch", math.nan)
    if not math.isfinite(value):
        raise ValueError("a row of metrics has no epoch")
    return int(value)


def _csv(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue()
