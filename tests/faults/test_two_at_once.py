"""Two controllers with different clocks on one folder: whoever creates first decides, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from rivals import links, two_at_once

# Before the owner, an order of the first generation, a task of it, and an order of the second.
STOPPED_BEFORE = (3, 8, 10, 13)


def test_a_controller_creates_many_things_exclusively() -> None:
    assert links() >= 20


@pytest.mark.parametrize("nth", STOPPED_BEFORE)
def test_one_that_sleeps_through_what_another_did_goes_by_it(nth: int, tmp_path: Path) -> None:
    came = two_at_once(tmp_path / "house", nth, until_the_end=nth % 2 == 0)
    assert came.well, came
