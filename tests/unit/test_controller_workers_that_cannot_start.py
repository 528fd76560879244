"""A worker that never says a word is a bad start, whatever it died of; none is tried for ever."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_examples import Mini, claimed, without_syncing
from played_pool import PlayedPool, controller_for, played
from test_controller_local_workers import until

from autolfads_operator.errors import RunStopped
from autolfads_operator.pools.local import MAX_BAD_STARTS, LocalPool

KILLED = "import os; os.kill(os.getpid(), 9)\n"


@pytest.mark.parametrize("how", ["option", "signal"])
def test_workers_that_never_say_a_word_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "signal":
        (tmp_path / "click.py").write_text(KILLED)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    arguments = ("--no-such-option",) if how == "option" else ()
    pool = LocalPool(claimed(tmp_path / "run").root, 1, arguments)
    try:
        for _ in range(MAX_BAD_STARTS):
            pool.want(1)
            until(lambda: not pool.lives())
        with pytest.raises(RunStopped, match="workers die as they start"):
            pool.want(1)
    finally:
        pool.kill()


@pytest.mark.parametrize("score", [0.5, float("nan")], ids=["succeeded", "failed"])
def test_a_run_that_is_over_wants_no_workers(tmp_path: Path, score: float) -> None:
    mini = Mini(population=2, generations=2)
    with without_syncing():
        played(tmp_path, mini, lambda *_: score)
        pool = PlayedPool(tmp_path, mini)
        assert controller_for(tmp_path, pool).turn()
    assert pool.lives() == []
