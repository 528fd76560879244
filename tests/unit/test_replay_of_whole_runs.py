"""Every run, whatever befell it, is found to be what it should be, in both modes."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_examples import Mini, attempts, orders, without_syncing
from played_pool import Fails, Play, PlayedPool, controller_for, played, to_the_end
from random_runs import Fate, Trouble, fates, minis, seeds
from replay_examples import records_of, replayed, rough_run, told

from autolfads_operator.controller.orders import next_order, orders_of, rival_now
from autolfads_operator.findings import order_file
from autolfads_operator.replay import Records, replay
from autolfads_operator.replay.records import ledger_of
from autolfads_trainer.records import Owner
from autolfads_trainer.store import RunFolder

MODES = ["synchronous", "asynchronous"]


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    with without_syncing():
        yield


@settings(deadline=None, max_examples=8)
@given(mini=minis(), mode=st.sampled_from(MODES), fate=fates, luck=seeds)
def test_runs_with_trouble_and_controllers_that_come_and_go_are_as_they_should_be(
    mini: Mini, mode: str, fate: Fate, luck: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rough_run(root, replace(mini, mode=mode), Trouble(fate, luck), random.Random(luck))
        report = replayed(root)
        assert report.findings == ()
        assert report.over
        assert report.orders == len(orders(root))


@settings(deadline=None, max_examples=8)
@given(mini=minis(), mode=st.sampled_from(MODES), fate=fates, luck=seeds, turns=st.integers(0, 150))
def test_unfinished_runs_are_checked_as_far_as_they_are(
    mini: Mini, mode: str, fate: Fate, luck: int, turns: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, chance = Path(name), random.Random(luck)
        controller_for(root, PlayedPool(root))
        rough_run(root, replace(mini, mode=mode), Trouble(fate, luck), chance, turns=turns)
        assert told(root) == []


@settings(deadline=None, max_examples=8)
@given(mini=minis(), mode=st.sampled_from(MODES), fate=fates, luck=seeds)
def test_damaged_checkpoints_that_were_made_again_are_as_they_should_be(
    mini: Mini, mode: str, fate: Fate, luck: int
) -> None:
    chance = random.Random(luck)

    def harm(root: Path) -> None:
        there = sorted(root.glob("members/*/gen-*/attempt-*/checkpoint*"))
        if there and chance.random() < 0.03:
            chance.choice(there).write_text("cut")

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        rough_run(root, replace(mini, mode=mode), Trouble(fate, luck), chance, harm=harm)
        assert told(root) == []


def test_an_end_that_was_made_again_is_no_attempt_too_many(tmp_path: Path) -> None:
    mini = Mini(population=2, generations=3)
    pool = PlayedPool(tmp_path, mini, 2, lambda member, *_: 0.5 + member)
    controller = controller_for(tmp_path, pool)
    while not (tmp_path / "members/001/gen-001/attempt-1/outcome.json").exists():
        controller.turn()
        pool.step()
    (tmp_path / "members/000/gen-001/attempt-1/checkpoint-1.ckpt").write_text("cut")
    to_the_end(controller, pool)
    assert attempts(tmp_path, 0, 1) == ["finished", "finished"]
    assert told(tmp_path) == []


def test_a_member_given_up_since_its_start_cannot_be_made_again_is_as_it_should_be(
    tmp_path: Path,
) -> None:
    def plays(member: int, generation: int, attempt: int) -> Play:
        again = (member, generation) == (0, 1) and attempt > 1
        return Fails() if again else 0.5 + member

    pool = PlayedPool(tmp_path, Mini(population=2, generations=2), 2, plays)
    controller = controller_for(tmp_path, pool)
    while not (tmp_path / "members/001/gen-001/attempt-1/outcome.json").exists():
        controller.turn()
        pool.step()
    (tmp_path / "members/000/gen-001/attempt-1/checkpoint-1.ckpt").write_text("cut")
    for _ in range(300):
        if (tmp_path / "members/000/gen-002/attempt-2/outcome.json").exists():
            break
        controller.turn()
        pool.step()
    (_, (task, outcome)) = sorted(records_of(tmp_path).attempts[0, 2].items())[-1]
    assert task is not None
    assert outcome is not None
    assert (task.worker, outcome.final) == ("nobody", True)
    assert told(tmp_path) == []


def test_a_run_that_failed_is_as_it_should_be(tmp_path: Path) -> None:
    assert played(tmp_path, Mini(), lambda *_: Fails()).state == "failed"
    assert told(tmp_path) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_run_that_stopped_improving_is_as_it_should_be(tmp_path: Path, mode: str) -> None:
    mini = Mini(generations=30, patience=2, min_improvement_ratio=0.01, mode=mode)
    assert played(tmp_path, mini).reason == "stopped improving"
    assert told(tmp_path) == []


@pytest.mark.parametrize("mode", MODES)
def test_only_an_asynchronous_order_can_come_after_the_end(tmp_path: Path, mode: str) -> None:
    """A controller that was stopped just before it wrote it cannot know of the end."""
    mini = Mini(generations=30, patience=2, min_improvement_ratio=1, mode=mode)
    played(tmp_path, mini, lambda member, *_: 0.5 + member)
    ledger = ledger_of(records_of(tmp_path))
    assert ledger.run is not None
    leg = ledger.newest_legs()[0]
    if mode == "asynchronous":
        late = next_order(ledger, ledger.run, leg, rival_now(ledger, ledger.run, leg))
    else:
        late = orders_of(ledger, ledger.run, leg.order.generation + 1)[0]
    assert late is not None
    RunFolder(tmp_path).give_order(late)
    after = f"{order_file((late.member, late.generation))}: was given; expected none: the run had "
    stopped = f"{after}stopped improving at the end of generation {leg.order.generation}"
    assert (stopped in told(tmp_path)) == (mode == "synchronous")
    assert bool(told(tmp_path)) == (mode == "synchronous")


def test_an_asynchronous_run_in_which_everybody_went_on_after_the_end_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mini = Mini(generations=30, patience=2, min_improvement_ratio=1, mode="asynchronous")
    with monkeypatch.context() as patch:  # a controller that forgets to stop
        patch.setattr("autolfads_operator.controller.scoreboard.has_stopped_improving", never)
        pool = PlayedPool(tmp_path, mini, 2, lambda member, *_: 0.5 + member)
        controller = controller_for(tmp_path, pool)
        while controller.ledger.generation < 12:
            controller.turn()
            pool.step()
    stopped = ledger_of(records_of(tmp_path)).board.stopped_at
    assert stopped is not None
    file = order_file((0, stopped + 2))
    assert f"{file}: was given; expected none: not everybody, since the run had " in str(
        told(tmp_path)
    )


def never(*_: object, **__: object) -> bool:
    return False


def test_a_folder_that_was_only_claimed_has_nothing_wrong() -> None:
    report = replay(Records(Owner(name="new", spec={}, spec_hash="")))
    assert (report.orders, report.generations, report.findings) == (0, 0, ())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_a_run_of_two_controllers_at_once_is_as_it_should_be(
    tmp_path: Path, mode: str, seed: int
) -> None:
    """Each is deaf for a while now and then, and so decides by what it knew long ago."""
    luck = random.Random(seed)
    mini = Mini(population=5, generations=7, patience=2, min_improvement_ratio=0.1, mode=mode)
    plays = Trouble(Fate(seed, 0.2), seed)
    pools = [PlayedPool(tmp_path, mini, 3, plays, luck=luck) for _ in range(2)]
    both = [(controller_for(tmp_path, pool, RunFolder(tmp_path)), pool) for pool in pools]
    over: set[int] = set()
    for _ in range(4000):
        one = luck.randrange(2)
        controller, pool = both[one]
        for _ in range(luck.randint(1, 40) if luck.random() < 0.05 else 1):
            if controller.turn():
                over.add(one)
            pool.step()
        if len(over) == 2:
            break
    assert len(over) == 2
    assert told(tmp_path) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("restarted", [True, False])
def test_a_best_end_that_was_lost_before_the_export_is_rightly_made_again(
    tmp_path: Path, mode: str, restarted: bool
) -> None:
    """Of the last generation, so that no order starts from it."""
    mini = Mini(population=2, generations=2, mode=mode)
    pool = PlayedPool(tmp_path, mini, 2, lambda m, g, _: 1.0 - 0.1 * g + 0.01 * m)
    controller = controller_for(tmp_path, pool, RunFolder(tmp_path))
    ends = [tmp_path / f"members/00{member}/gen-002/attempt-1" for member in range(2)]
    while not all((end / "outcome.json").exists() for end in ends):
        controller.turn()
        pool.step()
    (ends[0] / "checkpoint-1.ckpt").unlink()
    if restarted:
        pool.kill()
        controller = controller_for(tmp_path, pool, RunFolder(tmp_path))
    assert to_the_end(controller, pool).best == (0, 2)
    assert attempts(tmp_path, 0, 2) == ["finished", "finished"]
    assert told(tmp_path) == []
