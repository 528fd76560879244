"""One clear message, exit code 2, no worker has trained, and nothing is left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
import yaml
from real_runs import Make, RunOnDisk


def test_a_data_file_that_is_not_there(make_run: Make, tmp_path: Path) -> None:
    run = make_run(data={"path": "nowhere.h5"})
    printed = run.finish(expect=2)
    assert str(tmp_path / "nowhere.h5") in printed
    assert "no such data file" in printed
    assert "Traceback" not in printed
    assert not run.root.exists()


def test_counts_that_cannot_be(make_run: Make, data_file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.h5"
    bad.write_bytes(data_file.read_bytes())
    with h5py.File(bad, "r+") as file:
        file["train_recon_data"][3, 4, 5] = -2
    run = make_run(data={"path": "bad.h5"})
    printed = run.finish(expect=2)
    assert "bad.h5: 'train_recon_data' holds -2 at trial 3, time step 4, channel 5" in printed
    assert not run.root.exists()


def test_a_key_that_no_configuration_has(make_run: Make) -> None:
    printed = make_run(config={"model": {"gen_dims": 8}}).finish(expect=2)
    assert "model.gen_dims" in printed
    assert "did you mean" in printed
    assert "gen_dim'" in printed


def test_an_input_mended_after_the_refusal_starts_afresh(make_run: Make) -> None:
    run = make_run(config={"datamodule": {"batch_size": 33}})
    assert "33" in run.finish(expect=2)
    document = yaml.safe_load(run.manifest.read_text())
    document["spec"]["config"]["datamodule"]["batch_size"] = 16
    document["spec"] |= {"population": 1, "pbt": {"burnInEpochs": 1, "maxEpochs": 1}}
    run.manifest.write_text(yaml.safe_dump(document))
    run.finish()


def test_a_folder_of_another_run_is_not_touched(make_run: Make, finished: RunOnDisk) -> None:
    run = make_run(population=3)
    run.root = finished.root
    before = finished.fitlog()
    printed = run.finish(expect=2)
    assert "belongs to another run" in printed
    assert "spec.population was 4 and is now 3" in printed
    assert finished.fitlog() == before


def test_a_lock_that_is_a_link_is_not_followed(make_run: Make, tmp_path: Path) -> None:
    run = make_run()
    run.root.mkdir()
    (run.root / ".controller.lock").symlink_to(tmp_path / "outside")
    assert "cannot be written to" in run.finish(expect=2)
    assert not (tmp_path / "outside").exists()


def test_a_run_whose_owner_is_lost_is_told_from_other_things(
    make_run: Make, finished: RunOnDisk
) -> None:
    run = make_run()
    run.root.mkdir()
    shutil.copy(finished.root / "run.json", run.root)
    assert "owner.json: is missing, although" in run.finish(expect=2)


def test_a_folder_with_other_things_in_it_is_not_touched(make_run: Make) -> None:
    run = make_run()
    run.root.mkdir()
    (run.root / "thesis.tex").write_text("years of work")
    assert "holds files that are no run's" in run.finish(expect=2)
    assert [path.name for path in run.root.iterdir()] == ["thesis.tex"]


def test_data_that_change_during_a_run_stop_it_without_loss(
    make_run: Make, data_file: Path, tmp_path: Path, finished: RunOnDisk
) -> None:
    data = tmp_path / "data.h5"
    data.write_bytes(data_file.read_bytes())
    other = make_run(data={"path": "data.h5"})
    process = other.start()
    while not (other.root / "run.json").exists():
        assert process.poll() is None
    process.terminate()
    process.communicate(timeout=120)
    with h5py.File(data, "r+") as file:
        file["train_recon_data"][0, 0, 0] += 1
        file["train_encod_data"][0, 0, 0] += 1
    assert "was changed since this run began" in other.finish(expect=2)
    data.write_bytes(data_file.read_bytes())
    other.finish()
    assert other.orders() == finished.orders()


@pytest.mark.parametrize("good", [True, False])
def test_validate_says_whether_a_run_would_begin(make_run: Make, good: bool) -> None:
    run = make_run() if good else make_run(config={"trainer": {"max_epochs": -1}}, pbt={})
    command = [sys.executable, "-m", "autolfads_operator.cli", "validate", str(run.manifest)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == (0 if good else 2)
    expected = "good. 4 members" if good else "trainer.max_epochs: found -1"
    assert expected in answer.stdout + answer.stderr
    assert not run.root.exists()
