"""Workers that are told to leave, silent ones and those that only prepare: who gets a task."""

from __future__ import annotations

from pathlib import Path

from ledger_examples import Mini
from played_pool import PlayedPool, controller_for, to_the_end

from autolfads_operator.pools.pods import PodPool

PODS = PodPool(lambda: False, preparing=("checks",), training=("first", "second"))


def test_a_worker_that_was_told_to_leave_gets_nothing_new(tmp_path: Path) -> None:
    pool = PlayedPool(tmp_path, Mini(), most=3)
    controller = controller_for(tmp_path, pool)
    pool.want(3)
    leaves = pool.lives()[0]
    pool.told_to_leave.add(leaves)
    to_the_end(controller, pool)
    attempts = [each for leg in controller.ledger.legs.values() for each in leg.attempts]
    assert attempts
    assert leaves not in {each.task.worker for each in attempts}


def test_before_the_run_is_prepared_workers_are_the_pods_that_prepare() -> None:
    assert PODS.lives() == ["checks"]


def test_a_pod_that_prepares_gets_no_training_to_do() -> None:
    pods = PodPool(lambda: True, preparing=("checks",), training=("first", "second"))
    assert pods.lives() == ["first", "second"]


def test_a_silent_pod_gets_nothing_more_while_it_is_killed() -> None:
    pods = PodPool(lambda: True, training=("first", "second"))
    pods.drop("first")
    assert pods.lives() == ["second"]
