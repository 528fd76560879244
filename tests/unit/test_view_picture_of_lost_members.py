"""A member whose attempts are used up is lost, and is shown as lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from played_pool import Fails, PlayedPool, controller_for

from autolfads_operator.view.picture import picture_of


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


def test_a_member_whose_attempts_are_used_up_is_lost_and_counts_as_done(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(population=2), 1, lambda m, *_: 0.5 if m else Fails())
    controller = controller_for(tmp_path, pool)
    seen = set()
    while controller.ledger.generation < 2:
        pool.step()
        controller.turn()
        for member in picture_of(controller.ledger, controller.statuses).members[:1]:
            seen.add((member.state, member.attempts, member.epoch))
    assert ("lost", 3, 3.0) in seen
    assert ("waiting", 3, 0.0) not in seen
