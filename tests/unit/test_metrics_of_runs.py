"""What Prometheus is told of runs, from ledgers that never were."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from cluster_examples import run_object
from ledger_examples import OWNER, Mini, orders
from picture_examples import a_picture
from played_pool import Dies, Leaves, PlayedPool, controller_for
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from run_directory_examples import order

from autolfads_operator.cluster.metrics import table
from autolfads_operator.cluster.metrics.of_operator import OperatorMetrics
from autolfads_operator.cluster.metrics.of_runs import Known
from autolfads_operator.cluster.metrics.page import families_of
from autolfads_operator.cluster.metrics.tally import Tally, Waits
from autolfads_operator.cluster.volume_side import Seen
from autolfads_operator.controller.ledger import Ledger
from autolfads_trainer.records import Outcome, Task, WorkerStatus


def page_of(*known: Known) -> dict[str, float]:
    """Return the page's samples by their text: `name{labels}`."""

    class Collects:
        def collect(self) -> Any:
            return families_of(known)

    metrics = OperatorMetrics()
    metrics.registry.register(Collects())
    text = generate_latest(metrics.registry).decode()
    return {
        sample.name
        + "{"
        + ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
        + "}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("autolfads_run")
    }


def test_a_run_that_cannot_be_told_leaves_the_page_to_the_others() -> None:
    broken = known(run=run_object("broken"), status={**STATUS, "conditions": [{"type": "X"}]})
    page = page_of(broken, known())
    assert page["autolfads_run_workers{namespace=lab,run=reach,state=ready}"] == 3
    assert not any("run=broken" in name for name in page)


STATUS = {
    "state": "Training",
    "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted"}],
    "workers": {"wanted": 4, "ready": 3},
}


def known(**changes: Any) -> Known:
    base = Known(run_object("reach", workers={"count": 4}), STATUS)
    return dataclasses.replace(base, **changes)


def test_of_a_run_that_was_just_applied_its_object_is_told() -> None:
    page = page_of(known(status={}))
    assert page["autolfads_runs{namespace=lab,state=New}"] == 1
    assert page["autolfads_run_workers{namespace=lab,run=reach,state=asked}"] == 4
    assert not [name for name in page if "generation" in name]


def test_runs_are_counted_by_their_state() -> None:
    page = page_of(known(), known(), known(status={"state": "Failed"}))
    assert page["autolfads_runs{namespace=lab,state=Training}"] == 2
    assert page["autolfads_runs{namespace=lab,state=Failed}"] == 1


def test_a_run_in_training() -> None:
    seen = Seen(a_picture(8), 120.0, None, frozenset())
    tally = Tally(bps={3: 0.4, 1: 0.2}, scores={1: 0.5}, worker_seconds=7200.0)
    tally.spread = {"model.lr_init": (0.001, 0.002, 0.004)}
    copy = order(member=2, generation=2, parent=(5, 1), copied=True)
    tally.lineage = (copy.model_copy(update={"hyperparameters": {"model.lr_init": 0.003}}),)
    page = page_of(known(seen=seen, tally=tally, gpu_share=0.5, price=3.0, preempted=2))

    def of(name: str, **labels: str) -> float:
        all_of_them = {"namespace": "lab", "run": "reach", **labels}
        said = ",".join(f"{key}={value}" for key, value in sorted(all_of_them.items()))
        return page[f"autolfads_run_{name}{{{said}}}"]

    assert of("stage", stage="training") == 1
    assert of("generation") == 2
    assert of("members", state="lost") == 2
    assert of("score", stat="best") == 0.123456
    assert of("bits_per_spike", stat="best") == 0.4  # of member 3, which is the best
    assert of("bits_per_spike", stat="median") == pytest.approx(0.3)
    assert of("member_score", member="1") == 0.5
    assert of("hyperparameter", hyperparameter="model.lr_init", stat="median") == 0.002
    assert of("member_hyperparameter", hyperparameter="model.lr_init", member="2") == 0.003
    assert of("member_parent", member="2") == 5
    assert of("time_left_seconds") == 120
    assert of("gpu_seconds_total") == 3600
    assert of("gpu_cost_total") == 3
    assert of("preemptions_total") == 2
    assert of("condition", condition="Accepted", reason="Accepted") == 1
    assert of("workers", state="ready") == 3


def test_a_run_that_was_deleted_has_no_series() -> None:
    assert [name for name in page_of() if name.startswith("autolfads_run_")] == []


def test_every_name_follows_the_conventions_and_is_told_once() -> None:
    names = [metric.name for metric in table.METRICS]
    assert len(set(names)) == len(names)
    for metric in table.METRICS:
        assert re.fullmatch(r"autolfads_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".")
        assert not metric.name.endswith(("_ms", "_mb", "_percent"))


def test_a_histogram_counts_up_to_each_bound() -> None:
    waits = Waits((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 9.0):
        waits.observe(seconds)
    assert waits.buckets() == [("1", 2.0), ("2", 3.0), ("+Inf", 4.0)]
    assert waits.sum == 12.0


def tallied(root: Path, plays: Any, mini: Mini) -> Tally:
    """Play a run to its end, and take every turn into account."""
    tally, pool = Tally(), PlayedPool(root, mini, 2, plays)
    controller = controller_for(root, pool)
    over = False
    while not over:
        over = controller.turn()
        tally.note(controller.ledger, controller.statuses, 2, controller.clock())
        pool.step()
    return tally


def test_what_adds_up_is_what_the_run_directory_says(tmp_path: Path) -> None:
    def plays(member: int, generation: int, attempt: int) -> Any:
        if attempt == 1 and (member, generation) == (0, 1):
            return Dies()
        if attempt == 1 and (member, generation) == (1, 2):
            return Leaves()
        return 1.0 + member - 0.1 * generation

    mini = Mini(population=3, generations=3)
    tally = tallied(tmp_path, plays, mini)
    copies = [order for order in orders(tmp_path) if order.copied]
    assert len(copies) > 0
    assert tally.exploits == len(copies)
    assert tally.retries == 2
    assert tally.interruptions == {"saved": 1, "abandoned": 1, "failed": 0}
    assert tally.worker_seconds > 0
    assert tally.scores == pytest.approx({0: 0.7, 1: 1.7, 2: 2.7})
    newest = [order for order in orders(tmp_path) if order.generation == 3]
    for name, (least, _, most) in tally.spread.items():
        values = [order.hyperparameters[name] for order in newest]
        assert (least, most) == (min(values), max(values))
    assert {each.member: each for each in tally.lineage} == {each.member: each for each in newest}


def waited(tally: Tally, ledger: Ledger, now: float, **doing: tuple[int, int, float]) -> None:
    """Let workers be at (member, generation) after having waited for some seconds."""
    statuses = {
        life: WorkerStatus(
            counter=1, doing="", task=task_for(ledger, life, *place).folder, waited=seconds
        )
        for life, (*place, seconds) in doing.items()
    }
    tally.note(ledger, statuses, len(statuses), now)


def task_for(ledger: Ledger, life: str, member: int, generation: int) -> Task:
    leg = f"members/{member:03d}/gen-{generation:03d}"
    ledger.add_order(order(member=member, generation=generation))
    task = Task(kind="train", folder=f"{leg}/attempt-1", worker=life, attempt=1)
    ledger.add_task(task)
    return task


def test_the_last_worker_of_a_generation_waits_for_the_next_alone() -> None:
    """Others wait for it, and who goes on with another member of the same hardly waits."""
    tally, ledger = Tally(), Ledger(OWNER)
    tally.note(ledger, {}, 0, 0.0)
    waited(tally, ledger, 1.0, a=(0, 1, 0.0), b=(1, 1, 0.0))
    waited(tally, ledger, 2.0, a=(2, 1, 0.01), b=(1, 1, 0.0))
    assert tally.handovers.sum == 0
    waited(tally, ledger, 3.0, a=(0, 2, 7.0), b=(1, 2, 0.3))
    waited(tally, ledger, 4.0, a=(0, 3, 9.0), b=(1, 2, 0.3))
    assert tally.handovers.sum == pytest.approx(0.3)
    assert tally.handovers.buckets()[-1] == ("+Inf", 1.0)


def test_steps_of_lives_from_before_are_not_counted_again() -> None:
    tally, ledger = Tally(), Ledger(OWNER)

    def note(now: float, **steps: int) -> None:
        said = {life: WorkerStatus(counter=1, doing="", steps=n) for life, n in steps.items()}
        tally.note(ledger, said, 0, now)

    note(1.0, old=1000)
    note(2.0, old=1010, new=5)
    note(3.0, old=1010, new=25)
    assert tally.steps == 35


def test_what_was_not_saved_is_lost() -> None:
    tally, ledger = Tally(), Ledger(OWNER)
    tally.note(ledger, {}, 0, 0.0)
    task = task_for(ledger, "a", 0, 1)
    status = WorkerStatus(counter=1, doing="", task=task.folder, epoch=7.5)
    tally.note(ledger, {"a": status}, 1, 1.0)
    tally.note(ledger, {"a": status}, 1, 2.0)
    ledger.settle(ledger.attempts_in(task.folder)[0], Outcome(outcome="abandoned", epoch=5))
    tally.note(ledger, {}, 0, 3.0)
    assert tally.epochs_lost == 2.5
    assert tally.worker_seconds == 2.0
