"""What is to be done next: a pure function of what was decided and of who is free.

No clock, no randomness but the run's own, no I/O. The same ledger gives the same orders, so it
does not matter how often, or by how many controllers, a plan is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autolfads_operator.controller.actions import (
    Action,
    Finish,
    Freeze,
    GiveOrder,
    GiveTask,
    GiveUp,
    Publish,
    Recall,
    Stop,
)
from autolfads_operator.controller.attempts import last_reason, used_up
from autolfads_operator.controller.ledger import Attempt, Ledger, Leg
from autolfads_operator.controller.orders import due_orders, is_over, last_of
from autolfads_operator.controller.starts import (
    Forgotten,
    Hopeless,
    Start,
    end_of,
    made_again,
    start_of,
)
from autolfads_trainer.records import (
    FORMAT,
    NEWEST_FORMAT,
    Data,
    DiskUse,
    End,
    Outcome,
    Pbt,
    Run,
    Task,
)
from autolfads_trainer.store import RunFolder


def plan(ledger: Ledger, idle: Sequence[str]) -> list[Action]:
    """Return the next actions; `idle` are the lives that are free, in the order to be used."""
    if ledger.end is not None:
        return []
    if ledger.run is None:
        return list(_prepare(ledger, idle))
    orders = due_orders(ledger)
    if orders:
        return [GiveOrder(order) for order in orders]
    if ledger.board.lost_at is not None:
        return [Finish(_failure(ledger, ledger.board.lost_at))]
    if not is_over(ledger) or not all(leg.settled for leg in ledger.newest_legs()):
        return list(_train(ledger, idle))
    return list(_export(ledger, idle))


# Before the run is frozen.
def _prepare(ledger: Ledger, idle: Sequence[str]) -> Iterator[Action]:
    attempts = ledger.prepare
    last = attempts[-1] if attempts else None
    if last is not None and last.open:
        return
    if last is not None and last.outcome is not None and last.has_finished:
        yield Freeze(frozen(ledger, last.outcome))
        return
    recent = _outcomes(attempts[ledger.forgiven.get("prepare", 0) :])
    if used_up(recent):
        yield Stop(f"the data could not be prepared: {last_reason(recent)}")
    elif idle:
        number = len(attempts) + 1
        folder = RunFolder.attempt_folder("prepare", number)
        yield GiveTask(Task(kind="prepare", folder=folder, worker=idle[0], attempt=number))


def _outcomes(attempts: Sequence[Attempt]) -> list[Outcome | None]:
    return [attempt.outcome for attempt in attempts]


def frozen(ledger: Ledger, outcome: Outcome) -> Run:
    """Return the run that a finished `prepare` makes."""
    result: dict[str, Any] = outcome.result
    configuration = result["configuration"]
    pbt = configuration["pbt"]
    disk = result.get("disk")
    asked = ledger.owner.spec.get("pbt", {})
    if not isinstance(asked, dict):
        raise TypeError("spec.pbt in owner.json is no mapping")
    further = tuple(Data(**each) for each in result.get("furtherData", ()))
    return Run(
        format=NEWEST_FORMAT if further else FORMAT,
        name=ledger.owner.name,
        seed=configuration["seed"],
        population=pbt["num_samples"],
        pbt=Pbt(
            mode=asked.get("mode", "synchronous"),
            metric=pbt["metric"],
            burn_in_epochs=pbt["burn_in_period"],
            generation_epochs=pbt["perturbation_interval"],
            max_epochs=configuration["trainer"]["max_epochs"],
            patience=pbt["patience"],
            min_improvement_ratio=pbt["min_improvement_ratio"],
        ),
        search_space=result["searchSpace"],
        configuration=configuration,
        data=Data(**result["data"]),
        further_data=further,
        disk=DiskUse(**disk) if disk else None,
        notes=tuple(result["notes"]),
    )


# Training.
def _train(ledger: Ledger, idle: Sequence[str]) -> Iterator[Action]:
    free = iter(idle)
    begun = set()
    # Who is furthest behind comes first: in asynchronous mode that keeps members together.
    legs = sorted(ledger.newest_legs(), key=lambda leg: (leg.order.generation, leg.order.member))
    for leg in legs:
        if not leg.waits:
            continue
        start = start_of(ledger, leg)
        if isinstance(start, Hopeless):
            yield GiveUp(_given_up(leg), _damage_beyond_repair(start))
        if isinstance(start, Forgotten):
            yield Recall(start.place)
        if not isinstance(start, Start) or start.leg.place in begun or _at_work_on(start.leg):
            continue
        worker = next(free, None)
        if worker is None:
            return
        begun.add(start.leg.place)  # two that copy one winner need its checkpoint made again once
        yield GiveTask(_training_task(start, worker))


def _at_work_on(leg: Leg) -> bool:
    return bool(leg.attempts) and leg.attempts[-1].open


def _damage_beyond_repair(hopeless: Hopeless) -> str:
    return f"the checkpoint that it starts from is damaged, {hopeless.reason}"


def _given_up(leg: Leg) -> Task:
    """Return the attempt that nobody will make."""
    return _training_task(Start(leg), "nobody")


def _training_task(start: Start, worker: str) -> Task:
    leg = start.leg
    folder = RunFolder.leg_folder(*leg.place)
    number = len(leg.attempts) + 1
    return Task(
        kind="train",
        folder=RunFolder.attempt_folder(folder, number),
        worker=worker,
        attempt=number,
        order=f"{folder}/order.json",
        order_sha256=leg.order.sha256(),
        start_from=start.checkpoint,
        start_sha256=start.sha256,
        resume=start.resume,
    )


def _failure(ledger: Ledger, generation: int) -> End:
    reason = ledger.board.lost_for or "all scores are NaN or infinite"
    return End(state="failed", reason=f"generation {generation}: {reason}")


# The results.
def _export(ledger: Ledger, idle: Sequence[str]) -> Iterator[Action]:
    run = ledger.run
    assert run is not None  # noqa: S101
    best = ledger.best_leg()
    attempts = ledger.export
    last = attempts[-1] if attempts else None
    if last is not None and last.open:
        return
    if last is not None and last.has_finished:
        stopped = ledger.board.stopped_at
        # At the end of the last generation both hold: then it is the epochs that count.
        why = "stopped improving" if stopped and stopped < last_of(run) else "all epochs done"
        yield Publish(last.task.folder)
        # Of another controller, which slept, an order may have come and a better score: too late.
        shown = last.task.best or best.place
        score = ledger.board.score(shown)
        yield Finish(End(state="succeeded", reason=why, best=shown, score=score))
        return
    recent = _outcomes(attempts[ledger.forgiven.get("export", 0) :])
    if used_up(recent):
        yield Stop(
            f"training is done, but the results could not be written in {len(recent)} attempts: "
            f"{last_reason(recent)}; start the run again when this is mended"
        )
    elif idle:
        yield from _begin_export(ledger, best, idle[0])


def _begin_export(ledger: Ledger, best: Leg, worker: str) -> Iterator[Action]:
    end = end_of(ledger, best)
    if end is not None:
        yield GiveTask(_export_task(ledger, best, end, worker))
        return
    start = made_again(ledger, best)
    if isinstance(start, Hopeless):
        yield Stop(
            f"training is done, but the best checkpoint is damaged, {start.reason}: "
            f"member {best.order.member} of generation {best.order.generation}"
        )
    elif isinstance(start, Forgotten):
        yield Recall(start.place)
    elif isinstance(start, Start) and not _at_work_on(start.leg):
        yield GiveTask(_training_task(start, worker))


def _export_task(ledger: Ledger, best: Leg, end: Outcome, worker: str) -> Task:
    number = len(ledger.export) + 1
    return Task(
        kind="export",
        folder=RunFolder.attempt_folder("export", number),
        worker=worker,
        attempt=number,
        start_from=end.checkpoint,
        start_sha256=end.sha256,
        best=best.place,
        reached=tuple(ledger.newest[member] for member in sorted(ledger.newest)),
    )
