"""One session's file, or all that a run left: how good its rates are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autolfads_trainer.evaluation.behaviour import behaviour_key, read_behaviour
from autolfads_trainer.evaluation.conditions import Conditions, condition_key, read_conditions
from autolfads_trainer.evaluation.decoding import Pairs, decode
from autolfads_trainer.evaluation.likelihood import are_counts, bits_per_spike, pooled_r2
from autolfads_trainer.evaluation.options import Options
from autolfads_trainer.evaluation.psth import KEY, Psths, psth_r2, psths_of, read_psths
from autolfads_trainer.evaluation.reading import OutputFile, opened_output
from autolfads_trainer.evaluation.sources import PREFIX, files_of
from autolfads_trainer.evaluation.trials import Trials, read_trials
from autolfads_trainer.evaluation.units import bin_width, kernel, lags_to_try
from autolfads_trainer.evaluation.values import Decoding, Evaluation, Psth, Scores
from autolfads_trainer.userinput import InputError

DEFAULT = Options()

Values = dict[str, dict[str, float]]
"""Split → score → value."""


def evaluate_results(path: Path, options: Options = DEFAULT) -> tuple[Evaluation, ...]:
    """Evaluate every session of a run: its results folder, its autolfads.zip, or one file.

    Sessions are in the order of their names. Raises `InputError` for what cannot be evaluated.
    """
    return tuple(evaluate_file(file, options, shown=name) for file, name in files_of(path))


def evaluate_file(
    path: Path, options: Options = DEFAULT, *, shown: Path | None = None
) -> Evaluation:
    """Evaluate one `lfads_output_<session>.h5`.

    Behaviour and conditions that nobody asked for and that cannot be used are noted; what `options`
    ask for and the file does not give is an `InputError`. Errors name the file as `shown`.
    """
    with opened_output(path, shown or path) as file:
        splits = read_trials(file)
        found = _Found(file, splits, options, bin_width(file.bin_ms(), options, file.path))
        found.likelihoods()
        decoding = found.decoding()
        psth = found.psth()
    return Evaluation(
        session=(shown or path).stem.removeprefix(PREFIX),
        splits={split: Scores(**values) for split, values in found.values.items()},
        bin_ms=found.bin_ms,
        decoding=decoding,
        psth=psth,
        notes=tuple(found.notes),
    )


@dataclass
class _Found:
    """Scores as they are found, and what there is to tell."""

    file: OutputFile
    splits: Mapping[str, Trials]
    options: Options
    bin_ms: float | None
    values: Values = field(init=False)
    notes: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.values = {split: {} for split in self.splits}

    def likelihoods(self) -> None:
        """Bits per spike, and R² to the truth."""
        for split, trials in self.splits.items():
            values = self.values[split]
            if trials.truth is not None:
                values["r2"] = pooled_r2(trials.rates, trials.truth)
            if trials.data is None:
                continue
            why = None
            if not are_counts(trials.data):
                why = "data are no counts"
            elif trials.rates.min() < 0:
                why = "rates are below 0"
            if why is not None:
                self.notes.append(f"{split}: no bits per spike: {why}")
                continue
            seen, heldin = trials.observed, trials.heldin
            parts = {
                "bps": np.s_[:, :seen, :heldin],
                "co_bps": np.s_[:, :seen, heldin:],
                "fp_bps": np.s_[:, seen:, :],
            }
            for name, part in parts.items():
                values[name] = bits_per_spike(trials.rates[part], trials.data[part])

    def decoding(self) -> Decoding | None:
        """Behaviour decoded from rates."""
        options, path = self.options, self.file.path
        key = behaviour_key(self.file, options.behaviour, self.splits)
        if key is None:
            if options.lag_option is not None:
                raise InputError(
                    f"{path}: {options.lag_option}: found no behaviour that lags could be tried "
                    "on; expected --behaviour KEY"
                )
            return None
        try:
            behaviour = read_behaviour(self.file, key, self.splits)
        except InputError as error:
            if options.behaviour is not None or options.lag_option is not None:
                raise
            self.notes.append(f"behaviour is not decoded: {_without(path, error)}")
            return None
        train = Pairs.of(self.splits["train"], behaviour["train"], 0)
        lags = lags_to_try(options, self.bin_ms, train.rates.shape[1], path)
        if not train.steps(*lags):
            raise InputError(
                f"{path}: {options.lag_option}: lags from {lags[0]} to {lags[-1]} bins leave "
                f"nothing of trials of {train.rates.shape[1]} bins; expected smaller ones"
            )
        decoders, scores = decode(self.splits, behaviour, lags)
        if not decoders:
            self.notes.append(f"'{key}' is not decoded: too few training trials, or nothing varies")
            return None
        for split, r2 in scores.items():
            self.values[split]["behaviour_r2"] = r2
        edges = {lags[0], lags[-1]} if options.lag_option is None and len(lags) > 1 else set()
        if edges & {decoder.lag_bins for decoder in decoders}:
            self.notes.append(
                f"the lag is at the end of those tried, {lags[0]} to {lags[-1]} bins; "
                "--lag-bins or --lag-ms tries others"
            )
        return Decoding(key, decoders)

    def psth(self) -> Psth | None:
        """Condition means of rates against PSTHs."""
        options, path = self.options, self.file.path
        key = condition_key(self.file, options.condition, self.splits)
        asked = options.kernel_option
        if asked is not None and (key is None or KEY in self.file):
            what = "conditions to make PSTHs of" if key is None else "spikes to smooth, but PSTHs"
            raise InputError(f"{path}: {asked}: found no {what}; expected no {asked} here")
        if key is None:
            return None
        try:
            conditions = read_conditions(self.file, key, self.splits)
            psths, kernel_bins = self._psths(conditions)
        except InputError as error:
            if options.condition is not None or asked is not None:
                raise
            self.notes.append(f"PSTHs are not scored: {_without(path, error)}")
            return None
        for split, members in conditions.members.items():
            self.values[split]["psth_r2"] = psth_r2(psths, members, self.splits[split])
        return Psth(key, len(psths), kernel_bins)

    def _psths(self, conditions: Conditions) -> tuple[Psths, float | None]:
        if KEY in self.file:
            self._refuse_jitter(conditions)
            return read_psths(self.file, conditions, self.splits), None
        kernel_bins = kernel(self.options, self.bin_ms, self.file.path)
        return psths_of(conditions, self.splits, kernel_bins), kernel_bins

    def _refuse_jitter(self, conditions: Conditions) -> None:
        """Trials that were cut out earlier or later than their PSTHs are not turned back."""
        for split in conditions.members:
            name = f"{split}_jitter"
            trials = len(self.splits[split].rates)
            if name in self.file and np.any(self.file.labels(name, trials) != 0):
                raise InputError(
                    f"{self.file.path}: '{name}' holds trials that are shifted against 'psth'; "
                    "expected none, or a file without 'psth'"
                )


def _without(path: Path, error: InputError) -> str:
    return str(error).removeprefix(f"{path}: ")
