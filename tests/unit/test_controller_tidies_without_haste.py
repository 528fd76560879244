"""Tidying has little time in each turn, and gets round all the same, however much there is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_examples import Mini, without_syncing
from played_pool import PlayedPool, always, controller_for

from autolfads_operator.controller import loop, tidy


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each turn one thing is looked at, and no more."""
    monkeypatch.setattr(loop, "ENOUGH", 0.0)
    monkeypatch.setattr(tidy, "AT_LEAST", 0.0)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("mode", ["synchronous", "asynchronous"])
def test_a_pass_goes_on_where_the_turn_before_left_it(tmp_path: Path, mode: str) -> None:
    mini = Mini(population=4, generations=25, mode=mode)
    pool = PlayedPool(tmp_path, mini, 4, always(0.5))
    controller = controller_for(tmp_path, pool)
    most = 0
    for turn in range(20_000):
        if controller.turn():
            break
        most = max(most, len(controller.ledger.legs))
        if turn % 4 == 0:  # to train takes its time
            pool.step()
    assert controller.ledger.end is not None
    assert most < 15 * 4
    there = sorted(tmp_path.glob("members/*/gen-*/attempt-*/*.ckpt"))
    assert len(there) <= 2 * 4 + 2


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_a_folder_that_goes_away_while_all_are_at_work_is_missed(tmp_path: Path, left: str) -> None:
    """A volume was unmounted, say: the workers have nothing to tell, and no call fails."""
    root = tmp_path / "run"
    pool = PlayedPool(root, Mini(population=2), 2)
    controller = controller_for(root, pool)
    while len(controller.ledger.open_attempts()) < 2:
        controller.turn()
        pool.step()
    shutil.rmtree(root)
    if left == "an empty folder":
        root.mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        for _ in range(100):
            controller.turn()
    assert caught.value.filename == str(root)
    assert not root.exists() or list(root.iterdir()) == []
