"""A worker that is given up for dead and comes back does no harm, and leaves."""

from __future__ import annotations

from pathlib import Path

import points
import pytest
from returns import Given, When, comes_back

from autolfads_trainer.store import RunFolder


@pytest.mark.parametrize(
    ("call", "kind", "moment", "nth", "given", "when"),
    [
        ("link", "outcome of train", "before", 2, "gone", "given up"),
        ("link", "outcome of train", "after", 1, "gone", "given up"),
        ("open", "metrics", "before", 2, "gone", "after the end"),
        ("step", "training", "before", 3, "silent", "given up"),
        ("replace", "results/rates", "before", 1, "gone", "given up"),
    ],
)
def test_one_that_comes_back_leaves_and_changes_nothing(
    call: str, kind: str, moment: str, nth: int, given: Given, when: When, tmp_path: Path
) -> None:
    at = {"call": call, "kind": kind, "moment": moment}
    came = comes_back(tmp_path / "house", at, nth=nth, given=given, when=when)
    assert came.well, came


def test_what_one_still_writes_into_while_it_is_removed_is_removed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = tmp_path / "export/attempt-1/results"
    results.mkdir(parents=True)
    written = []

    def writes_on(call: str, _kind: str, moment: str) -> None:
        if (call, moment, bool(written)) == ("rmdir", "before", False):
            written.append("summary.json")
            (results / "summary.json").write_text("{}")

    for owner, name, replacement in points.patches(tmp_path, writes_on):
        monkeypatch.setattr(owner, name, replacement)
    for _ in range(2):
        RunFolder(tmp_path).remove("export/attempt-1/results")
    assert written
    assert not results.exists()
