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
    Publish,
    Stop,
)
from autolfads_operator.controller.attempts import MAX_FAILED, last_reason, newest_save, used_up
from autolfads_operator.controller.ledger import Ledger, Leg
from autolfads_operator.controller.scoreboard import (
    best_leg,
    generation_scores,
    score_of,
    scores_so_far,
)
from autolfads_operator.pbt import (
    AllLost,
    Decision,
    Hyperparameter,
    best_of_each_generation,
    decide,
    draw,
    generation_epochs,
    has_stopped_improving,
    last_generation,
    perturb,
)
from autolfads_trainer.records import Data, End, Order, Outcome, Pbt, Run, Task
from autolfads_trainer.store import RunFolder


def plan(ledger: Ledger, idle: Sequence[str]) -> list[Action]:
    """Return the next actions; `idle` are the lives that are free, in the order to be used."""
    if ledger.end is not None:
        return []
    if ledger.run is None:
        return list(_prepare(ledger, idle))
    generation = ledger.generation
    if generation == 0:
        return [GiveOrder(order) for order in first_orders(ledger.run)]
    legs = ledger.legs_of(generation)
    if len(legs) < ledger.run.population:  # an earlier controller was stopped in between
        return [GiveOrder(order) for order in orders_of(ledger, generation)]
    if not all(_settled(leg) for leg in legs):
        return list(_train(ledger, legs, idle))
    return list(_end_of_generation(ledger, legs, idle))


# Before the run is frozen.
def _prepare(ledger: Ledger, idle: Sequence[str]) -> Iterator[Action]:
    attempts = ledger.prepare
    last = attempts[-1] if attempts else None
    if last is not None and last.open:
        return
    if last is not None and last.outcome is not None and last.outcome.outcome == "finished":
        yield Freeze(frozen(ledger, last.outcome))
        return
    recent = attempts[ledger.forgiven.get("prepare", 0) :]
    if used_up(recent):
        yield Stop(f"the data could not be prepared: {last_reason(recent)}")
    elif idle:
        number = len(attempts) + 1
        folder = RunFolder.attempt_folder("prepare", number)
        yield GiveTask(Task(kind="prepare", folder=folder, worker=idle[0], attempt=number))


def frozen(ledger: Ledger, outcome: Outcome) -> Run:
    """Return the run that a finished `prepare` makes."""
    result: dict[str, Any] = outcome.result
    configuration = result["configuration"]
    pbt = configuration["pbt"]
    return Run(
        name=ledger.owner.name,
        seed=configuration["seed"],
        population=pbt["num_samples"],
        pbt=Pbt(
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
        notes=tuple(result["notes"]),
    )


# Orders.
def _space(run: Run) -> dict[str, Hyperparameter]:
    return {path: Hyperparameter.from_json(entry) for path, entry in run.search_space.items()}


def _epochs(run: Run, generation: int) -> tuple[int, int]:
    return generation_epochs(
        generation,
        burn_in=run.pbt.burn_in_epochs,
        interval=run.pbt.generation_epochs,
        max_epochs=run.pbt.max_epochs,
    )


def first_orders(run: Run) -> list[Order]:
    """Return the orders of generation 1: every member starts anew, from hyperparameters drawn."""
    start, epochs = _epochs(run, 1)
    space = _space(run)
    return [
        Order(
            member=member,
            generation=1,
            parent=None,
            copied=False,
            hyperparameters=draw(space, seed=run.seed, member=member),
            start_epoch=start,
            epochs=epochs,
            why="start",
        )
        for member in range(run.population)
    ]


def orders_of(ledger: Ledger, generation: int) -> list[Order]:
    """Return all orders of `generation`, derived from the one before.

    Raises `AllLost` if no member of that one has a score.
    """
    run = ledger.run
    assert run is not None  # noqa: S101  (orders are planned for frozen runs only)
    if generation == 1:
        return first_orders(run)
    before = generation - 1
    decisions = decide(generation_scores(ledger, before), seed=run.seed, generation=before)
    return [_order(ledger, run, decision, generation) for decision in decisions]


def _order(ledger: Ledger, run: Run, decision: Decision, generation: int) -> Order:
    parent = ledger.legs[decision.parent, generation - 1].order
    start, epochs = _epochs(run, generation)
    values = parent.hyperparameters
    if decision.copies:
        values = perturb(
            _space(run), values, seed=run.seed, generation=generation, member=decision.member
        )
    return Order(
        member=decision.member,
        generation=generation,
        parent=(decision.parent, generation - 1),
        copied=decision.copies,
        hyperparameters=values,
        start_epoch=start,
        epochs=epochs,
        why=decision.why,
    )


# Training.
def _settled(leg: Leg) -> bool:
    """Return whether this member is through with its generation: finished, or lost."""
    if leg.finished is not None:
        return True
    return not (leg.attempts and leg.attempts[-1].open) and used_up(leg.attempts)


def _train(ledger: Ledger, legs: Sequence[Leg], idle: Sequence[str]) -> Iterator[Action]:
    free = iter(idle)
    for leg in legs:
        if _settled(leg) or (leg.attempts and leg.attempts[-1].open):
            continue
        worker = next(free, None)
        if worker is None:
            return
        yield GiveTask(_training_task(ledger, leg, worker))


def _training_task(ledger: Ledger, leg: Leg, worker: str) -> Task:
    member, generation = leg.place
    folder = RunFolder.leg_folder(member, generation)
    number = len(leg.attempts) + 1
    saved = newest_save(leg.attempts)
    parent = leg.order.parent
    return Task(
        kind="train",
        folder=RunFolder.attempt_folder(folder, number),
        worker=worker,
        attempt=number,
        order=f"{folder}/order.json",
        start_from=saved or (_checkpoint(ledger.legs[parent]) if parent else None),
        resume=saved is not None,
    )


def _checkpoint(leg: Leg) -> str | None:
    """Return the checkpoint of the attempt that finished a leg."""
    return leg.finished.outcome.checkpoint if leg.finished and leg.finished.outcome else None


def _end_of_generation(
    ledger: Ledger, legs: Sequence[Leg], idle: Sequence[str]
) -> Iterator[Action]:
    run = ledger.run
    assert run is not None  # noqa: S101
    generation = ledger.generation
    last = last_generation(
        burn_in=run.pbt.burn_in_epochs,
        interval=run.pbt.generation_epochs,
        max_epochs=run.pbt.max_epochs,
    )
    try:
        decide(generation_scores(ledger, generation), seed=run.seed, generation=generation)
    except AllLost as nobody:
        errors = (last_reason(leg.attempts) for leg in legs if leg.finished is None)
        reason = next((error for error in errors if error), str(nobody))
        yield Finish(End(state="failed", reason=f"generation {generation}: {reason}"))
        return
    if generation < last and not has_stopped_improving(
        best_of_each_generation(scores_so_far(ledger)),
        patience=run.pbt.patience,
        min_improvement_ratio=run.pbt.min_improvement_ratio,
    ):
        for order in orders_of(ledger, generation + 1):
            yield GiveOrder(order)
        return
    yield from _export(
        ledger, "all epochs done" if generation == last else "stopped improving", idle
    )


# The results.
def _export(ledger: Ledger, why: str, idle: Sequence[str]) -> Iterator[Action]:
    best = best_leg(ledger)
    attempts = ledger.export
    last = attempts[-1] if attempts else None
    if last is not None and last.open:
        return
    if last is not None and last.outcome is not None and last.outcome.outcome == "finished":
        yield Publish(last.task.folder)
        yield Finish(End(state="succeeded", reason=why, best=best.place, score=score_of(best)))
        return
    recent = attempts[ledger.forgiven.get("export", 0) :]
    if used_up(recent):
        yield Stop(
            f"training is done, but the results could not be written in {MAX_FAILED} attempts: "
            f"{last_reason(recent)}; start the run again when this is mended"
        )
    elif idle:
        yield GiveTask(_export_task(ledger, best, idle[0]))


def _export_task(ledger: Ledger, best: Leg, worker: str) -> Task:
    number = len(ledger.export) + 1
    return Task(
        kind="export",
        folder=RunFolder.attempt_folder("export", number),
        worker=worker,
        attempt=number,
        start_from=_checkpoint(best),
        best=best.place,
        legs=tuple(
            (*leg.place, leg.finished.task.folder if leg.finished else None)
            for generation in range(1, ledger.generation + 1)
            for leg in ledger.legs_of(generation)
        ),
    )
