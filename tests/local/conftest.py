"""Real runs on this machine: the command line, its controller, its workers, small data."""

from __future__ import annotations

import os

import pytest
from run_fixtures import (  # noqa: F401  (fixtures are found by their names)
    data_file,
    finished,
    finished_slow,
    make_run,
)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep numerical libraries of the test process itself from taking all cores."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    assert os.environ["OMP_NUM_THREADS"] == "1"
