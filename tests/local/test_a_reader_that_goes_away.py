"""`autolfads run … | head -1`: the run is worth more than its view."""

from __future__ import annotations

import subprocess

from real_runs import Make


def test_the_run_goes_on_when_nobody_reads_any_more(make_run: Make) -> None:
    short = {"burnInEpochs": 1, "generationEpochs": 1, "maxEpochs": 2}
    run = make_run(population=2, pbt=short)
    process = subprocess.Popen(
        run.command("--device", "cpu", "--workers", "1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "preparing\n"
    process.stdout.close()
    assert process.wait(timeout=120) == 0, process.stderr.read()
    process.stderr.close()
    assert (run.root / "results/autolfads.zip").exists()
