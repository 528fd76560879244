"""The main job: what a finished run leaves is what users' scripts expect."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from real_runs import CHANNELS, HELD_OUT, STEPS, Make, RunOnDisk

from autolfads_trainer import LFADS
from autolfads_trainer.data.dataset import Dataset
from autolfads_trainer.data.hdf5 import read_recording
from autolfads_trainer.results.sampling import in_parts, joined
from autolfads_trainer.training.draws import seed_of

TRIALS = {"train": 32, "valid": 8}
METRICS = ["loss", "recon", "bps", "co_bps", "r2", "wt_l2", "wt_l2/ramp", "wt_kl", "wt_kl/ic"]
METRICS += ["wt_kl/co", "wt_kl/ramp", "recon/sess0"]


def test_the_zip_holds_what_scripts_for_the_existing_pipeline_read(finished: RunOnDisk) -> None:
    with zipfile.ZipFile(finished.root / "results/autolfads.zip") as archive:
        names = set(archive.namelist())
        assert {"fitlog.csv", "lfads_output_sess0.h5", "model.ckpt"} <= names
        fitlog = pd.read_csv(io.BytesIO(archive.read("fitlog.csv")), index_col=0)
        with h5py.File(io.BytesIO(archive.read("lfads_output_sess0.h5")), "r") as file:
            arrays = {name: file[name][()] for name in file}
    assert sorted(fitlog.worker_id.unique()) == [0, 1, 2, 3]
    assert (fitlog.groupby("worker_id").epoch.apply(list) == [list(range(7))] * 4).all()
    for name in METRICS:
        assert fitlog[f"train/{name}"].notna().all(), name
        assert fitlog[f"valid/{name}"].notna().all(), name
    assert fitlog["valid/recon_smth"].notna().all()
    assert fitlog["valid/fp_bps"].isna().all()  # nothing is forecast
    for split, trials in TRIALS.items():
        assert arrays[f"{split}_output_params"].shape == (trials, STEPS, CHANNELS)
        assert (arrays[f"{split}_output_params"] > 0).all()
        assert arrays[f"{split}_factors"].shape == (trials, STEPS, 4)
        assert arrays[f"{split}_gen_init"].shape == (trials, 8)
        assert arrays[f"{split}_co_means"].shape == (trials, STEPS, 1)
        for name in ("ic_mean", "ic_std", "co_stds", "gen_states", "gen_inputs", "con_states"):
            assert len(arrays[f"{split}_{name}"]) == trials


def test_the_output_file_carries_the_whole_input(finished: RunOnDisk, data_file: Path) -> None:
    with (
        h5py.File(data_file, "r") as given,
        h5py.File(finished.root / "results/lfads_output_sess0.h5", "r") as out,
    ):
        assert set(given) < set(out)
        for name in given:
            np.testing.assert_array_equal(given[name][()], out[name][()])


def test_the_usual_plotting_snippet_works(finished: RunOnDisk) -> None:
    path = finished.root / "results/fitlog.csv"
    fit_df = pd.read_csv(path, index_col=0)
    figure = Figure()
    axes = figure.subplots(1, 2)
    for _, member in fit_df.groupby("worker_id"):
        for ax, metric in zip(axes, ("train/recon", "valid/recon"), strict=True):
            (line,) = ax.plot(member["epoch"], member[metric])
            assert np.isfinite(line.get_ydata()).all()


def test_the_model_gives_the_rates_of_the_zip_back(finished: RunOnDisk, data_file: Path) -> None:
    run = finished.folder.run()
    assert run is not None
    model = LFADS.load_from_checkpoint(finished.root / "results/model.ckpt")
    data = Dataset.of([read_recording(data_file)], torch.device("cpu")).valid
    assert data.encod.shape[2] == CHANNELS - HELD_OUT
    torch.set_num_threads(1)
    sampled = joined(
        in_parts(model, data, samples=3, batch_size=16, seed=seed_of(run.seed, "export", "valid"))
    )
    with h5py.File(finished.root / "results/lfads_output_sess0.h5", "r") as file:
        for name, values in sampled.items():
            np.testing.assert_allclose(values, file[f"valid_{name}"][()], rtol=1e-6)


def test_the_summary_agrees_with_the_run(finished: RunOnDisk) -> None:
    summary = json.loads((finished.root / "results/summary.json").read_text())
    scores = {
        (int(path.parts[-3]), path.parts[-2], path.parts[-1]): outcome
        for path, outcome in zip(
            sorted(p.parent for p in finished.root.glob("members/*/gen-*/attempt-*/outcome.json")),
            finished.outcomes(),
            strict=True,
        )
    }
    best = min(outcome["score"] for outcome in scores.values())
    assert summary["score"] == best
    assert summary["generations"] == 3
    assert summary["population"] == 4
    for name in ("bps", "co_bps", "r2", "seconds"):
        assert np.isfinite(summary[name]), name


def test_only_the_best_and_the_last_checkpoints_stay(finished: RunOnDisk) -> None:
    left = list(finished.root.glob("members/*/gen-*/attempt-*/checkpoint-*.ckpt"))
    assert 1 <= len(left) <= 2 * 4 + 2  # of the last two generations, the best, and its start
    summary = json.loads((finished.root / "results/summary.json").read_text())
    best = f"{summary['best_member']:03d}/gen-{summary['best_generation']:03d}"
    assert any(best in str(path) for path in left)


def test_the_report_stands_alone(finished: RunOnDisk) -> None:
    page = (finished.root / "results/report.html").read_text()
    assert "small" in page
    for outside in ("<script src", "<link", "@import", "url(http"):
        assert outside not in page


def test_status_tells_how_it_ended(finished: RunOnDisk) -> None:
    command = [sys.executable, "-m", "autolfads_operator.cli", "status", str(finished.root)]
    shown = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    picture = json.loads(shown.stdout)
    assert picture["state"] == "succeeded"
    assert picture["generation"] == picture["last_generation"] == 3
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "succeeded" in words


def test_a_finished_run_is_not_done_again(finished: RunOnDisk) -> None:
    before = finished.fitlog()
    assert "done" in finished.finish()
    assert finished.fitlog() == before


def rates_of(run: RunOnDisk) -> np.ndarray:
    with h5py.File(run.root / "results/lfads_output_sess0.h5") as file:
        return file["valid_output_params"][:]


def test_results_that_were_removed_are_told_and_made_again_as_the_words_say(
    finished: RunOnDisk,
) -> None:
    root = finished.root
    before = rates_of(finished)
    shutil.copytree(root, root.with_name("kept"))
    try:
        (root / "results" / "summary.json").write_text("{")
        assert "summary.json: cannot be read: it was changed" in finished.finish(expect=1)
        shutil.copytree(root.with_name("kept") / "results", root / "results", dirs_exist_ok=True)
        (root / "results" / "report.html").unlink()
        assert "report.html: cannot be read: No such file" in finished.finish(expect=1)
        for name in ("lfads_output_sess0.h5", "model.ckpt", "fitlog.csv", "autolfads.zip"):
            shutil.copytree(
                root.with_name("kept") / "results", root / "results", dirs_exist_ok=True
            )
            size = (root / "results" / name).stat().st_size
            os.truncate(root / "results" / name, 100)
            said = finished.finish(expect=1)
            assert f"{name}: was changed: found 100 bytes; expected {size}" in said
        shutil.copytree(root.with_name("kept") / "results", root / "results", dirs_exist_ok=True)
        (root / "results" / "lfads_output_sess0.h5").unlink()
        assert "lfads_output_sess0.h5: cannot be read: No such" in finished.finish(expect=1)
        shutil.rmtree(root / "results")
        said = finished.finish(expect=1)
        assert "summary.json: cannot be read: No such file" in said
        assert "remove results, end.json and export in" in said
        (root / "end.json").unlink()
        assert "remove the folder export of the run" in finished.finish(expect=1)
        shutil.rmtree(root / "export")
        finished.finish()
        assert np.array_equal(rates_of(finished), before)
    finally:
        shutil.rmtree(root)
        root.with_name("kept").rename(root)


def test_what_the_configuration_says_holds_where_the_manifest_is_silent(
    make_run: Make, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(
        "pbt: {num_samples: 1, perturbation_interval: 1, burn_in_period: 1}\n"
        "trainer: {max_epochs: 3}\nposterior_sampling: {fn: {num_samples: 2}}\n"
    )
    run = make_run(configFile="config.yaml", population=None, pbt={}, seed=None, export={})
    assert "no tuning" in run.finish()  # a population of one is allowed, and says so
    frozen = run.folder.run()
    assert frozen is not None
    assert (frozen.population, frozen.pbt.max_epochs) == (1, 3)
    orders = [json.loads(text) for text in run.orders().values()]
    assert len(orders) == 3
    assert not any(order["copied"] for order in orders)
    # The seed that nobody gave was drawn and is recorded.
    summary = json.loads((run.root / "results/summary.json").read_text())
    assert summary["seed"] == frozen.seed == frozen.configuration["seed"]
