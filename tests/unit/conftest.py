"""Which tests are traced for coverage: those of the parts that a run's survival depends on.

Tracing takes as long again as a test does, whatever it tests.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator

import pytest

TRACED = (
    "test_controller_",
    "test_deaths_in_a_row",
    "test_folders_that_",
    "test_links_that_appear",
    "test_only_what_may_go",
    "test_patience_",
    "test_pbt_",
    "test_run_directory_",
    "test_run_touches_nothing",
    "test_turns_on_the_volume",
    "test_what_was_saved",
    "test_who_leaves_",
    "test_worker_",
)
# Many runs that are played through: what those cover, the others do.
NOT_TRACED = (
    "test_controller_asynchronous",
    "test_controller_keeps_what_can_be_needed",
    "test_controller_overlaps",
    "test_controller_retention",
    "test_controller_runs_to_the_end",
    "test_controller_survives",
    "test_controller_two_at_once",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Leave the others untraced.

    By hand: where tests are run by several processes, pytest-cov starts a second tracer in each,
    and its `no_cover` stops but one of the two.
    """
    name = item.path.name
    if name.startswith(TRACED) and not name.startswith(NOT_TRACED):
        return (yield)
    tracers = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        return (yield)
    finally:
        sys.settrace(tracers[0])
        threading.settrace(tracers[1])  # type: ignore[arg-type]
