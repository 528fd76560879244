"""Runs whose configuration names classes of the user's own, as the documents say it is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from markdown_documents import document
from real_runs import Make, small_manifest

EXAMPLE = document("docs/configuration.md").section("Classes of your own").blocks("python")[0]
LATER = """

class Later(NegativeBinomial):
    def compute_loss(self, data, output_params):
        assert data.sum() < 100, "more spikes than I thought"
        return super().compute_loss(data, output_params)
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "my_lab.py"
    file.write_text(EXAMPLE + LATER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return file


def with_own(name: str) -> dict[str, Any]:
    """Return what a manifest changes for a run of that class."""
    config = small_manifest("usual", Path())["spec"]["config"]
    config["model"]["reconstruction"] = [{"_target_": f"my_lab.{name}"}]
    return {"config": config, "population": 2}


def test_it_is_trained_tuned_and_exported(make_run: Make) -> None:
    run = make_run(**with_own("NegativeBinomial"))
    assert "expected a class of the existing pipeline" in run.finish(expect=2)
    printed = run.finish("--allow-import", "my_lab")
    assert "my_lab.NegativeBinomial: is a class of one's own" in " ".join(printed.split())
    summary = json.loads((run.root / "results/summary.json").read_text())
    assert summary["generations"] == 3


def test_one_that_fails_while_it_trains_is_told_with_its_line(make_run: Make, module: Path) -> None:
    run = make_run(**with_own("Later"))
    printed = run.finish("--allow-import", "my_lab", expect=1)
    line = 1 + module.read_text().splitlines().index(
        '        assert data.sum() < 100, "more spikes than I thought"'
    )
    expected = (
        "AssertionError: more spikes than I thought (in my_lab.Later.compute_loss(), "
        f"line {line} of {module})"
    )
    assert expected in " ".join(printed.split())
