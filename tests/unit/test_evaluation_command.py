"""`autolfads evaluate`: what a person reads, what a script reads, and how errors are told."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from evaluation_files import NAME, N, contents, moved, write

from autolfads_trainer.evaluation.command import evaluate
from autolfads_trainer.evaluation.evaluate import evaluate_results
from autolfads_trainer.evaluation.options import Options
from autolfads_trainer.evaluation.table import HEADS
from autolfads_trainer.evaluation.values import METRICS, Evaluation, Scores, mean_scores
from autolfads_trainer.userinput import InputError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(evaluate, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two sessions: one with behaviour and conditions, one with neither."""
    held = contents()
    for split in ("train", "valid"):
        rates = held[f"{split}_output_params"]
        held[f"{split}_paw"] = moved(rates, 1, np.ones((N, 2)) + np.eye(N, 2))
        held[f"{split}_condition"] = np.arange(len(rates)) % 3
    write(tmp_path / NAME, held, bin_width_seconds=0.02)
    other = contents({"train": 8, "valid": 5})
    write(tmp_path / "lfads_output_sess1.h5", other)
    return tmp_path


def test_the_table_has_a_row_for_each_session_and_split_and_the_mean(results):
    lines = run(results).output.splitlines()

    assert re.split(r" {2,}", lines[0]) == ["session", "split", *HEADS.values()]
    rows = [line.split() for line in lines[1:7]]
    assert [row[:2] for row in rows] == [
        [session, split] for session in ("sess0", "sess1", "mean") for split in ("train", "valid")
    ]
    found = evaluate_results(results)
    for row, scores in zip(rows, [s for one in found for s in one.splits.values()], strict=False):
        for word, name in zip(row[2:], METRICS, strict=True):
            value = getattr(scores, name)
            assert word == (f"{value:.4f}" if math.isfinite(value) else "–")
    assert lines[7:] == [
        "sess0: PSTH: 3 conditions of condition, spikes smoothed by a Gaussian with an sd of "
        "50 ms (2.5 bins)"
    ]


def test_one_session_needs_no_mean_and_says_how_it_was_decoded(results):
    arguments = ("--behaviour", "paw", "--lag-ms", 0, "--lag-ms", 20, "--kernel-bins", 2)
    lines = run(results / NAME, *arguments).output.splitlines()

    assert not any(line.startswith("mean") for line in lines)
    assert re.fullmatch(
        r"behaviour: paw: lag 20 ms \(1 bin\), penalty \S+, "
        r"R² 1\.000 in cross-validation within train",
        lines[3],
    )
    assert lines[4].endswith("with an sd of 40 ms (2 bins)")


def test_bins_of_unknown_width_are_said_to_be_so(results):
    path = write(results / "other.h5", contents() | {"train_condition": np.arange(30) % 2})
    assert run(path).output.splitlines()[3:] == [
        "PSTH: 2 conditions of condition, spikes smoothed by a Gaussian with an sd of 3 bins",
        "bins: the file does not say how wide they are (--bin-ms)",
    ]


def test_what_scripts_read_is_what_was_found(results):
    read = json.loads(run(results, "--json").output)

    found = evaluate_results(results)
    assert [one["session"] for one in read["sessions"]] == ["sess0", "sess1"]
    for told, one in zip(read["sessions"], found, strict=True):
        for split, scores in one.splits.items():
            values = vars(scores)
            assert told["splits"][split] == {
                name: value if math.isfinite(value) else None for name, value in values.items()
            }
    assert read["sessions"][0]["psth"] == {
        "key": "condition", "conditions": 3, "kernel_bins": 2.5,
    }  # fmt: skip
    assert read["sessions"][0]["bin_ms"] == 20
    assert read["sessions"][1]["psth"] is None
    assert read["sessions"][1]["behaviour"] is None
    assert read["mean"]["valid"]["bps"] == pytest.approx(
        sum(one.splits["valid"].bps for one in found) / 2
    )
    assert read["mean"]["valid"]["r2"] is None


def test_scripts_read_of_decoders_too(results):
    output = run(results / NAME, "--behaviour", "paw", "--lag-bins", 1, "--json").output
    told = json.loads(output)["sessions"][0]["behaviour"]

    (found,) = evaluate_results(results / NAME, Options(behaviour="paw", lag_bins=(1,)))
    assert told == {"key": "paw", "decoders": [vars(found.decoding.decoders[0])]}


def test_a_mean_is_over_the_sessions_that_have_a_score():
    sessions = [
        Evaluation("a", {"valid": Scores(bps=1.0, r2=0.5), "test": Scores(bps=7.0)}),
        Evaluation("b", {"valid": Scores(bps=2.0)}),
    ]
    means = mean_scores(sessions)

    assert means["valid"].bps == 1.5
    assert means["valid"].r2 == 0.5
    assert math.isnan(means["valid"].co_bps)
    assert means["test"].bps == 7
    assert "train" not in means


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("missing",), "missing: there is no such file"),
        ((".", "--behaviour", "paws"), "has no dataset 'train_paws' (did you mean 'train_paw'?)"),
        ((".", "--condition", "x"), "has no dataset 'valid_x'"),
        ((".", "--kernel-ms", "0"), "evaluate: --kernel-ms: found 0; expected a number above 0"),
        ((".", "--lag-ms", "1", "--lag-bins", "1"), "found --lag-ms and --lag-bins"),
    ],
)
def test_wrong_input_is_one_sentence(results, monkeypatch, arguments, expected):
    monkeypatch.chdir(results)
    result = run(*arguments)
    assert isinstance(result.exception, InputError)
    assert expected in str(result.exception)
    assert result.output == ""


def test_neither_the_command_nor_its_work_loads_torch(results):
    program = (
        "import sys; from autolfads_trainer.evaluation.command import evaluate; "
        "early = {'numpy', 'h5py', 'torch'} & set(sys.modules); "
        "evaluate([sys.argv[1]], standalone_mode=False); "
        "print(early, 'torch' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(results)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines()[-1] == "set() False"
