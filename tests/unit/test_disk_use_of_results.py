"""No result is larger than was said before the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from recording_files import (
    CHANNELS,
    FORECAST,
    HELD_OUT,
    STEPS,
    TRIALS,
    contents,
    in_one_part,
    write_file,
)

from autolfads_trainer.checkpoint_size import columns
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.disk_use import (
    Plan,
    archive_bytes,
    fitlog_bytes,
    rates_bytes,
    report_bytes,
)
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.results.archive import write_archive
from autolfads_trainer.results.fitlog import write_fitlog
from autolfads_trainer.results.history import History, Leg
from autolfads_trainer.results.output_file import write_output_file
from autolfads_trainer.results.report import TrialExamples, write_report
from autolfads_trainer.results.sampling import in_parts, joined

RANDOM = np.random.default_rng(7)
MODEL = {"gen_dim": 12, "fac_dim": 5, "co_dim": 3, "con_dim": 9, "ci_enc_dim": 8}


def plan_for(path: Path, **pbt: int) -> Plan:
    """Return the plan of a run on the recording in `path`."""
    sizes = read_recording(path).sizes
    epochs = pbt.pop("max_epochs", 40)
    given = {"model": MODEL, "pbt": pbt, "trainer": {"max_epochs": epochs}}
    found = resolve({"config": given}, config_file=None, sizes=sizes)
    return Plan(found.configuration, sizes, "synchronous", path.stat().st_size, False, 0)


@pytest.mark.parametrize("ext_input", [False, True])
@pytest.mark.parametrize("controller", [False, True])
def test_the_rates_with_every_output_fit(
    tmp_path: Path, ext_input: bool, controller: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = contents()
    if ext_input:
        for split, trials in TRIALS.items():
            made[f"{split}_ext_input"] = np.ones((trials, STEPS, 4), np.float32)
    if not controller:
        monkeypatch.setitem(MODEL, "co_dim", 0)
    source = write_file(tmp_path / "reach.h5", made)
    plan = plan_for(source)
    model = LFADS(plan.configuration["model"])
    data = Dataset.of([read_recording(source)], torch.device("cpu"))
    outputs = {
        split: joined(in_parts(model, getattr(data, split), samples=1, batch_size=3, seed=0))
        for split in TRIALS
    }
    again, most = source, rates_bytes(plan)
    for number in range(2):  # what is there already is replaced, and takes its room all the same
        target = tmp_path / f"{number}.h5"
        write_output_file(again, target, in_one_part(outputs))
        assert target.stat().st_size <= most[0]
        again, most = target, rates_bytes(plan_for(target))
    values = sum(array.nbytes for split in outputs.values() for array in split.values())
    assert rates_bytes(plan)[0] - source.stat().st_size - values <= 16 * 4096


def leg_of(plan: Plan, member: int, generation: int, epochs: int) -> Leg:
    """Return a leg in which every number is as long as numbers can be."""
    start = (generation - 1) * epochs
    names = columns(plan.configuration["model"])
    rows = []
    for epoch in range(start, start + epochs):
        row = dict(zip(names, -RANDOM.random(len(names)) * 1e-102, strict=True))
        row["valid/recon"] = row["train/recon"] = float(RANDOM.random())
        rows.append(row | {"epoch": epoch})
    parent = None if generation == 1 else (int(RANDOM.integers(plan.members)), generation - 1)
    tuned = [f"model.some.long.path.{name}" for name in names if name.startswith("hp/")]
    return Leg(
        member=member,
        generation=generation,
        parent=parent,
        copied=parent is not None and parent[0] != member,
        hyperparameters={name: float(RANDOM.random()) for name in tuned},
        start_epoch=start,
        epochs=epochs,
        score=None if RANDOM.random() < 0.3 else 0.41234567,
        why=f"lost to member {member} as of generation {generation} (0.4123456 > 0.4123455)",
        rows=tuple(rows),
    )


@pytest.mark.parametrize("members,generations,epochs", [(3, 2, 4), (20, 12, 5), (2, 3, 300)])
def test_fit_log_report_and_zip_fit(
    tmp_path: Path, members: int, generations: int, epochs: int
) -> None:
    source = write_file(tmp_path / "reach.h5", contents())
    pbt = {"num_samples": members, "perturbation_interval": epochs, "burn_in_period": epochs}
    plan = plan_for(source, **pbt, max_epochs=generations * epochs)
    legs = tuple(
        leg_of(plan, member, generation, epochs)
        for generation in range(1, generations + 1)
        for member in range(members)
    )
    limits = dict.fromkeys(legs[0].hyperparameters, (0.1, 0.9))
    history = History("long", 1, legs, (0, generations), limits)
    trials, steps, channels = 3, STEPS + FORECAST, CHANNELS + HELD_OUT
    noise = RANDOM.random((trials, steps, channels))
    examples = TrialExamples(
        spikes=np.ones_like(noise),
        rates=noise,
        truth=1 - noise,
        numbers=[100, 101, 102],
        bin_seconds=0.0123,
        heldin=CHANNELS,
        encod_steps=STEPS,
    )
    write_fitlog(tmp_path / "fitlog.csv", history)
    write_report(tmp_path / "report.html", history, {"seed": 1}, examples, ())
    fitlog = (tmp_path / "fitlog.csv").stat().st_size
    report = (tmp_path / "report.html").stat().st_size
    assert fitlog <= fitlog_bytes(plan) <= 1.2 * fitlog
    assert report <= report_bytes(plan) <= 4 * report

    write_archive(tmp_path / "one.zip", [tmp_path / "fitlog.csv"])
    assert (tmp_path / "one.zip").stat().st_size <= archive_bytes([fitlog * 3 // 4])
    (tmp_path / "noise").write_bytes(RANDOM.bytes(3_000_000))  # cannot be packed
    files = [tmp_path / name for name in ("fitlog.csv", "report.html", "noise")]
    write_archive(tmp_path / "all.zip", files)
    most = archive_bytes([path.stat().st_size for path in files])
    assert (tmp_path / "all.zip").stat().st_size <= most


def test_a_report_on_long_and_wide_trials_fits(tmp_path: Path) -> None:
    steps, channels = 900, 400
    trials: dict[str, Any] = {}
    for split, count in TRIALS.items():
        data = RANDOM.poisson(1.0, (count, steps, channels)).astype(np.float32)
        trials |= {f"{split}_encod_data": data, f"{split}_recon_data": data}
    plan = plan_for(write_file(tmp_path / "wide.h5", trials))
    noise = RANDOM.random((3, steps, channels))
    examples = TrialExamples(
        spikes=RANDOM.integers(0, 9, noise.shape),
        rates=noise,
        truth=1 - noise,
        numbers=[0, 1, 2],
        bin_seconds=0.001,
        heldin=channels,
        encod_steps=steps,
    )
    history = History("wide", 1, (leg_of(plan, 0, 1, 3),), (0, 1))
    write_report(tmp_path / "report.html", history, {}, examples, ())
    size = (tmp_path / "report.html").stat().st_size
    assert size <= report_bytes(plan) <= 4 * size
