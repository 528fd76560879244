"""Runs of several sessions, and what is done with the model that comes of them."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from real_runs import RunOnDisk, small_manifest
from run_fixtures import made_once

SESSIONS = {"morning": (8, 2), "noon": (6, 0)}  # channels, and those held out
STEPS, TRAIN, VALID, TEST = 12, 32, 8, 5


def autolfads(*arguments: object) -> str:
    command = [sys.executable, "-m", "autolfads_operator.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def record(folder: Path) -> None:
    """Write two recordings of one system, with test trials, and start values for both."""
    for number, (name, (channels, heldout)) in enumerate(SESSIONS.items()):
        path = folder / f"{name}.h5"
        sizes = ["--conditions", 8, "--trials", 5, "--channels", channels, "--heldout", heldout]
        autolfads("generate", "lorenz", path, "--session", number, *sizes)
        with h5py.File(path, "r+") as file:
            for key in list(file):
                if file[key].ndim == 3:
                    short = file[key][:, :STEPS]
                    del file[key]
                    file[key] = short
            file["test_encod_data"] = file["valid_encod_data"][:TEST]
            file["train_number"] = np.arange(TRAIN)
            file["valid_number"] = TRAIN + np.arange(VALID)
    autolfads("pcr", *(folder / f"{name}.h5" for name in SESSIONS), "--in-place", "--components", 4)


def spec_of(folder: Path, **config: Any) -> dict[str, Any]:
    return small_manifest("sessions", folder / "*n*.h5", population=2, config=config)


CONFIG: dict[str, Any] = {
    "model": {
        **dict.fromkeys(("ic_enc_dim", "ci_enc_dim", "con_dim", "ic_dim"), 6),
        **{"gen_dim": 8, "fac_dim": 4, "co_dim": 1},
    },
    "datamodule": {"batch_size": 16, "reshuffle_tv_seed": 4},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunOnDisk:
    def make(place: Path) -> None:
        record(place)
        (place / "run.yaml").write_text(yaml.safe_dump(spec_of(place, **CONFIG)))
        RunOnDisk(place / "run.yaml", place / "out").finish()

    made = made_once(tmp_path_factory, "sessions", make)
    place = tmp_path_factory.mktemp("own-sessions") / "copy"
    shutil.copytree(made, place)
    return RunOnDisk(place / "run.yaml", place / "out")


def test_the_history_names_the_data_of_all_sessions(finished: RunOnDisk) -> None:
    told = " ".join(autolfads("history", finished.root).split())  # long paths are wrapped
    for name in SESSIONS:
        assert f"{name}.h5 (sha256 " in told


def test_each_session_has_results_of_its_own(finished: RunOnDisk) -> None:
    results = finished.root / "results"
    for name, (channels, heldout) in SESSIONS.items():
        with h5py.File(results / f"lfads_output_{name}.h5") as file:
            for split, trials in (("train", TRAIN), ("valid", VALID), ("test", TEST)):
                rates = file[f"{split}_output_params"][()]
                assert rates.shape == (trials, STEPS, channels)
                assert (rates > 0).all()
                assert file[f"{split}_factors"].shape == (trials, STEPS, 4)
            assert file["test_encod_data"].shape == (TEST, STEPS, channels - heldout)
    assert json.loads((finished.root / "run.json").read_text())["format"] == 3


def test_arrays_of_trials_are_in_the_new_order_all_together(finished: RunOnDisk) -> None:
    given, out = (finished.manifest.parent, finished.root / "results")
    with (
        h5py.File(given / "noon.h5") as before,
        h5py.File(out / "lfads_output_noon.h5") as after,
    ):
        numbers = np.concatenate([after["train_number"][()], after["valid_number"][()]])
        assert sorted(numbers) == list(range(TRAIN + VALID))
        assert not np.array_equal(numbers, np.arange(TRAIN + VALID))
        for key in ("encod_data", "recon_data", "truth", "cond_idx"):
            whole = np.concatenate([before[f"train_{key}"][()], before[f"valid_{key}"][()]])
            mixed = np.concatenate([after[f"train_{key}"][()], after[f"valid_{key}"][()]])
            np.testing.assert_array_equal(mixed, whole[numbers])
        np.testing.assert_array_equal(after["readin_weight"][()], before["readin_weight"][()])


def test_every_metric_is_there_for_every_session(finished: RunOnDisk) -> None:
    with zipfile.ZipFile(finished.root / "results/autolfads.zip") as archive:
        assert {f"lfads_output_{name}.h5" for name in SESSIONS} < set(archive.namelist())
        fitlog = pd.read_csv(io.BytesIO(archive.read("fitlog.csv")), index_col=0)
        summary = json.loads(archive.read("summary.json"))
    for name in ("recon", "bps", "r2"):
        for number in range(2):
            assert fitlog[f"valid/{name}/sess{number}"].notna().all()
    assert fitlog["valid/co_bps/sess0"].notna().all()
    assert fitlog["valid/co_bps/sess1"].isna().all()
    assert set(summary["sessions"]) == set(SESSIONS)
    each = [scores["bps"] for scores in summary["sessions"].values()]
    assert summary["bps"] == pytest.approx(np.mean(each))
    assert summary["sessions"]["noon"]["co_bps"] is None


def test_evaluation_has_the_summary_s_scores(finished: RunOnDisk) -> None:
    told = json.loads(autolfads("evaluate", finished.root / "results/autolfads.zip", "--json"))
    summary = json.loads((finished.root / "results/summary.json").read_text())
    for one in told["sessions"]:
        scores = summary["sessions"][one["session"]]
        for name in ("bps", "co_bps", "r2"):
            found = one["splits"]["valid"][name]
            assert found == (
                None if scores[name] is None else pytest.approx(scores[name], rel=1e-3)
            )
    report = (finished.root / "results/report.html").read_text()
    assert all(name in report for name in SESSIONS)


def test_the_model_goes_on_to_new_trials_and_to_a_new_session(
    finished: RunOnDisk, tmp_path: Path
) -> None:
    results, given = finished.root / "results", finished.manifest.parent
    out = tmp_path / "new.h5"
    autolfads("infer", results / "model.ckpt", given / "noon.h5", out, "--session", 1)
    with h5py.File(out) as file, h5py.File(results / "lfads_output_noon.h5") as known:
        # Other samples of the same posteriors.
        ours, theirs = file["test_output_params"][()], known["test_output_params"][()]
        assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9
    shutil.copy(given / "morning.h5", tmp_path / "evening.h5")
    shutil.copy(results / "model.ckpt", tmp_path)
    readin = {
        "_target_": "lfads_torch.modules.readin_readout.FanInLinear",
        **{"out_features": 4, "requires_grad": True},
    }
    dynamics = ["encoder", "decoder", "ic_prior", "co_prior"]
    start = {"checkpoint": "model.ckpt", "frozen": dynamics}
    config = {"model": {**CONFIG["model"], "readin": [readin]}, "start": start}
    spec = small_manifest(
        "evening",
        tmp_path / "evening.h5",
        population=2,
        pbt={"burnInEpochs": 1, "generationEpochs": 1, "maxEpochs": 2},
        config={**config, "datamodule": {"batch_size": 16}},
    )
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(spec))
    run = RunOnDisk(tmp_path / "run.yaml", tmp_path / "out")
    (tmp_path / "data").mkdir()
    run.finish()
    from autolfads_trainer import LFADS  # noqa: PLC0415

    before = LFADS.load_from_checkpoint(results / "model.ckpt").state_dict()
    after = LFADS.load_from_checkpoint(run.root / "results/model.ckpt").state_dict()
    for name, value in after.items():
        if name.split(".")[0] in dynamics:
            assert (value == before[name]).all(), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"datamodule": {"batch_size": 1}}, "datamodule.batch_size: found 1; expected 2 to"),
        ({"model": {"fac_dim": 5}}, "model.fac_dim: found 5; expected 4, the components of"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_trains(
    finished: RunOnDisk, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    spec = spec_of(finished.manifest.parent, **{**CONFIG, **change})
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(spec))
    said = RunOnDisk(tmp_path / "run.yaml", tmp_path / "out").finish(expect=2)
    assert message in " ".join(said.split())
