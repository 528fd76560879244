"""A controller dies at any write; its workers live on, as they do in a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from breaking_folder import BreakingFolder, CountingFolder, Killed
from ledger_examples import history, without_syncing
from played_pool import PlayedPool, controller_for, to_the_end
from test_controller_survives import MINI, fate


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def test_workers_that_outlive_their_controller_are_told_what_it_had_no_time_to_tell(
    tmp_path: Path,
) -> None:
    calm = tmp_path / "calm"
    pool = PlayedPool(calm, MINI, 2, fate)
    counting = CountingFolder(calm)
    to_the_end(controller_for(calm, pool, counting), pool)
    for at in range(1, counting.writes + 1):
        root = tmp_path / str(at)
        pool = PlayedPool(root, MINI, 2, fate)
        with pytest.raises(Killed):
            to_the_end(controller_for(root, pool, BreakingFolder(root, at)), pool)
        before = len(pool.begun)
        to_the_end(controller_for(root, pool), pool)
        assert history(root) == history(calm), f"killed after write {at}"
        assert len(pool.begun) >= before
        assert len(pool.begun) == counting.calls.count("give_task")  # and nothing twice
