"""Export, once and last: sample the best member's posteriors and write all results."""

from __future__ import annotations

import json
import math
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from autolfads_trainer.data.dataset import Dataset, Session, Split
from autolfads_trainer.data.hdf5 import Recording, opened
from autolfads_trainer.disk import make_folder, write_bytes, write_with
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.evaluation.evaluate import evaluate_file
from autolfads_trainer.evaluation.likelihood import are_counts
from autolfads_trainer.evaluation.values import Evaluation
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.records import Outcome, Run, Task
from autolfads_trainer.results.archive import write_archive
from autolfads_trainer.results.fitlog import read_rows, write_fitlog
from autolfads_trainer.results.history import History, Leg, Row
from autolfads_trainer.results.output_file import Outputs, write_output_file
from autolfads_trainer.results.quality import Quality
from autolfads_trainer.results.report import TrialExamples, write_report
from autolfads_trainer.results.sampling import Arrays, in_parts
from autolfads_trainer.tasks.bad_sector import BadSectors, Unreadable
from autolfads_trainer.tasks.context import Context, MustLeave, Said
from autolfads_trainer.tasks.start import Damaged, loaded
from autolfads_trainer.training.checkpoint import save_file
from autolfads_trainer.training.draws import seed_of
from autolfads_trainer.training.member import by_reference
from autolfads_trainer.training.precision import exactly
from autolfads_trainer.userinput import InputError

EXAMPLE_TRIALS = 3
FORMAT = 1  # of summary.json: raised when a key changes its meaning


def export(context: Context, task: Task) -> Outcome:
    """Write fit log, rates, model, summary, report and zip into the attempt's `results` folder."""
    run = context.run()
    if task.start_from is None or task.best is None:
        raise StoreError(f"{task.folder}/task.json: names no best member")
    try:
        device = str(context.torch_device())
        model = loaded(context, task, lambda path: LFADS.load_from_checkpoint(path, device))
    except Damaged as damage:
        return damage.outcome
    recordings, data = context.data(run)
    folder = context.folder.path(f"{task.folder}/results")
    shutil.rmtree(folder, ignore_errors=True)  # of a life that was broken off in this very attempt
    make_folder(folder, within=context.folder.root)

    history, seconds, notes = read_history(context, run, task)

    def writing(what: str) -> None:  # a sign of life, too: each of these can take its time
        context.say(Said(f"writing the results: {what}"))

    rates, quality = [], []
    for number, (session, recording) in enumerate(zip(run.sessions, recordings, strict=True)):
        rates.append(folder / f"lfads_output_{session.session}.h5")
        sampling = _Sampling(context, run, model, data, number)
        with TemporaryDirectory(prefix="autolfads-") as scratch:
            # HDF5 writes here and there in a file: shared volumes are spared that.
            local = Path(scratch) / rates[-1].name
            left_out = write_output_file(recording.path, local, sampling.outputs(), recording.order)
            if left_out:
                notes.append(
                    f"{rates[-1].name} lacks {', '.join(left_out)}: trials were split anew, and "
                    "these are not of all trials of training and validation"
                )
            writing("rates" if len(run.sessions) == 1 else f"rates of {session.session}")
            write_with(rates[-1], partial(shutil.copyfile, local))
        quality.append({split: found.read() for split, found in sampling.quality.items()})
    writing("fit log")
    write_with(folder / "fitlog.csv", lambda name: write_fitlog(name, history))
    writing("model")
    save_file(
        folder / "model.ckpt",
        {"configuration": model_configuration(run, model), "state_dict": model.cpu().state_dict()},
    )
    summary = summarise(run, history, quality, seconds)
    write_bytes(folder / "summary.json", json.dumps(summary, indent=1).encode() + b"\n")
    writing("report")
    examples = _examples(recordings[0], data, rates[0])
    evaluations, not_scored = _evaluated(context, rates)
    said = [*run.notes, *notes, *not_scored]
    if len(run.sessions) > 1:
        named = ", ".join(f"sess{i} is {one.session}" for i, one in enumerate(run.sessions))
        said.append(
            f"{named}; scores on top are their means, and the trials shown are of the first"
        )
    write_with(
        folder / "report.html",
        lambda name: write_report(name, history, summary, examples, said, evaluations),
    )
    writing("zip")
    contents = [*rates, *(folder / name for name in ("fitlog.csv", "model.ckpt"))]
    contents += [folder / "summary.json", folder / "report.html"]
    # All of it is durable before `results` gets its name.
    archive = folder / "autolfads.zip"
    write_with(archive, lambda name: write_archive(name, contents))
    return Outcome(
        outcome="finished",
        reason="; ".join(notes)[:2000] or None,
        result=summary,
        files={path.name: path.stat().st_size for path in (*contents, archive)},
    )


def model_configuration(run: Run, model: LFADS) -> dict[str, Any]:
    """Return the resolved configuration with the model's own section: its hyperparameters."""
    datamodule = dict(run.configuration["datamodule"])
    # Where the file lay on this machine says nothing on another.
    datamodule["data_paths"] = [Path(path).name for path in datamodule["data_paths"]]
    return {**run.configuration, "datamodule": datamodule, "model": dict(model.configuration)}


def _evaluated(context: Context, rates: Sequence[Path]) -> tuple[list[Evaluation], list[str]]:
    """Return how good each session's rates are, and why one could not be scored: as `evaluate`."""
    found, notes = [], []
    for path in rates:
        with ThreadPoolExecutor(1) as pool:  # a large file takes minutes, and this one shows life
            scored = pool.submit(evaluate_file, path)
            while not wait([scored], timeout=1).done:
                context.say(Said(f"scoring the rates: {path.name}"))
        try:
            found.append(scored.result())
        except InputError as error:
            notes.append(f"not scored: {error}")
    return found, notes


def splits_of(session: Session) -> dict[str, Split]:
    """Return the splits that a session has, by name."""
    found = {"train": session.train, "valid": session.valid}
    return found if session.test is None else {**found, "test": session.test}


class _Sampling:
    """The posteriors of one session, sampled as the arrays are written, and scored beside that."""

    def __init__(
        self, context: Context, run: Run, model: LFADS, data: Dataset, number: int
    ) -> None:
        self.context, self.run, self.model, self.number = context, run, model, number
        self.splits = splits_of(data.sessions[number])
        sizes, of = model.sizes.of_session(number), model.reconstructions[number]
        self.quality = {}
        for split in ("train", "valid"):
            trials = self.splits[split]
            # Of a class of one's own the data alone tell what they are.
            counts = of.counts or (of.own and are_counts(trials.recon.cpu().numpy()))
            self.quality[split] = Quality(sizes, trials, counts=counts)

    def outputs(self) -> dict[str, Outputs]:
        """Return each split's outputs; nothing is sampled before they are asked for."""
        self.context.shared.rest()
        return {
            split: Outputs(trials.trials, self._parts(split, trials))
            for split, trials in self.splits.items()
        }

    def _parts(self, split: str, trials: Split) -> Iterator[tuple[slice, Arrays]]:
        run, number = self.run, self.number
        of = "" if len(run.sessions) == 1 else f" of {run.sessions[number].session}"
        doing = f"sampling the posteriors of the {split} trials{of}"

        def progress(share: float) -> None:
            self.context.say(Said(f"{doing}: {share:.0%}"))
            if self.context.must_leave():
                raise MustLeave

        # Not as the tasks before have left it: results do not depend on what this worker did.
        with exactly(self.context.torch_device()):
            parts = in_parts(
                self.model,
                trials,
                session=number,
                samples=int(run.configuration["posterior_sampling"]["num_samples"]),
                batch_size=int(run.configuration["datamodule"]["batch_size"]),
                seed=seed_of(run.seed, "export", *([number] if number else []), split),
                progress=progress,
                reference=by_reference(run.configuration),
            )
            for part, arrays in parts:
                if split in self.quality:
                    self.quality[split].add(part, arrays)
                yield part, arrays


def read_history(context: Context, run: Run, task: Task) -> tuple[History, float, list[str]]:
    """Put together what orders and metrics say, and the seconds spent in training.

    With notes where metrics are lost: the fit log then has the last epoch alone, of the outcome.
    """
    legs, seconds, notes = [], 0.0, []
    bad = BadSectors(context.patience.clock)
    for generation in range(1, max(task.reached, default=0) + 1):
        for member, reached in enumerate(task.reached):
            if generation <= reached:
                context.say(Said("reading the metrics"))
                leg, spent, lost = _read_leg(context, bad, member, generation)
                legs.append(leg)
                seconds += spent
                notes += [lost] if lost else []
    assert task.best is not None  # noqa: S101  (checked by the caller)
    limits = {
        path: (float(entry["min"]), float(entry["max"]))
        for path, entry in run.search_space.items()
        if entry["enforceLimits"]
    }
    return History(run.name, run.seed, tuple(legs), task.best, limits), seconds, notes


def _read_metrics(
    context: Context, bad: BadSectors, path: Path, outcome: Outcome
) -> tuple[list[Row], str | None]:
    """Return the rows of an attempt that finished, and a note if all but the last are lost."""

    def read(path: Path) -> list[Row]:
        return read_rows(path, outcome.metrics_sha256)

    try:
        rows = context.patience.announced(bad.reading(path, context.telling(read)))
        why = f"{path}: is missing although this attempt finished"
    except (ValueError, OSError, Unreadable) as error:  # what can pass was waited for
        rows, why = None, str(error) if str(path) in str(error) else f"{path}: {error}"
    if rows is not None:
        return rows, None
    last = outcome.result.get("last", {})
    row = {name: float(value) for name, value in last.items() if value is not None}
    return [row] if row else [], f"metrics are lost but for their last epoch: {why}"


def _read_leg(
    context: Context, bad: BadSectors, member: int, generation: int
) -> tuple[Leg, float, str | None]:
    folder = context.folder
    place = folder.leg_folder(member, generation)
    order = context.patience.announced(lambda: folder.order(member, generation))
    if order is None:
        raise StoreError(f"{place}: has no order.json")
    outcome: Outcome | None = None
    rows: list[Row] = []
    seconds, lost = 0.0, None
    for task, ending in folder.attempts(place):
        seconds += (ending.seconds or 0.0) if ending is not None else 0.0
        # The first that finished counts: another one only made a damaged checkpoint again.
        if outcome is None and ending is not None and ending.outcome == "finished":
            outcome = ending
            path = folder.path(f"{task.folder}/metrics.csv")
            rows, lost = _read_metrics(context, bad, path, ending)
    leg = Leg(
        member=member,
        generation=generation,
        parent=order.parent,
        copied=order.copied,
        hyperparameters=order.hyperparameters,
        start_epoch=order.start_epoch,
        epochs=order.epochs,
        score=outcome.score if outcome else None,
        why=order.why,
        rows=tuple(rows),
    )
    return leg, seconds, lost


def summarise(
    run: Run,
    history: History,
    quality: Sequence[Mapping[str, Mapping[str, float]]],
    seconds: float,
) -> dict[str, Any]:
    """Return the run in numbers. `bps`, `co_bps`, `fp_bps` and `r2` are of the validation trials.

    They are those of the rates in the results (means over posterior samples). What cannot be
    scored (no truth, nothing held out) is null. `quality` is each session's: of several the mean
    is told, and each. `seconds` is worker time spent in training.
    """
    member, generation = history.best
    best = next(leg for leg in history.legs if leg.key == history.best)

    def plain(scores: Mapping[str, float]) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in scores.items()}

    def mean(split: str) -> dict[str, float]:
        each = [of_session[split] for of_session in quality]
        found = {name: [scores[name] for scores in each] for name in each[0]}
        there = {name: [v for v in values if math.isfinite(v)] for name, values in found.items()}
        return {
            name: float(np.mean(values)) if values else math.nan for name, values in there.items()
        }

    sessions = {
        session.session: {**plain(scores["valid"]), "train": plain(scores["train"])}
        for session, scores in zip(run.sessions, quality, strict=True)
    }
    return {
        "format": FORMAT,
        "name": run.name,
        "seed": run.seed,
        "population": run.population,
        "generations": max(leg.generation for leg in history.legs),
        "best_member": member,
        "best_generation": generation,
        "epochs": best.end_epoch,
        "score": best.score,
        "metric": run.pbt.metric,
        **plain(mean("valid")),
        "train": plain(mean("train")),
        **({"sessions": sessions} if len(sessions) > 1 else {}),
        "hyperparameters": dict(best.hyperparameters),
        "exploits": sum(leg.copied for leg in history.legs),
        "seconds": round(seconds, 3),
        "versions": {
            **{name: version(name) for name in ("autolfads", "torch", "numpy")},
            "python": platform.python_version(),
        },
    }


def _examples(recording: Recording, data: Dataset, written: Path) -> TrialExamples:
    split = data.valid
    chosen = np.linspace(0, split.trials - 1, min(EXAMPLE_TRIALS, split.trials)).astype(int)
    index = torch.as_tensor(chosen)
    truth = None if split.truth is None else split.truth.cpu()[index].numpy()
    with opened(written) as file:
        rates = file["valid_output_params"][chosen]
    return TrialExamples(
        spikes=split.recon.cpu()[index].numpy(),
        rates=rates,
        truth=truth,
        numbers=[int(number) for number in chosen],
        bin_seconds=_bin_seconds(recording.path),
        heldin=split.encod.shape[2],
        encod_steps=split.encod.shape[1],
    )


def _bin_seconds(path: Path) -> float | None:
    """Return the width of a bin where the file says it: the attribute `bin_width_seconds`."""
    with opened(path) as file:
        try:
            value = file.attrs.get("bin_width_seconds")
            return float(value) if value is not None else None
        except (OSError, RuntimeError, LookupError, ValueError, TypeError):
            return None  # text, a list, something broken: then the report counts bins
