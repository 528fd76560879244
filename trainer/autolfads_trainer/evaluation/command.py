"""`autolfads evaluate`: how good a run's results are."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("results", type=click.Path(path_type=Path), metavar="ZIP|DIR|FILE.h5")
@click.option(
    "--behaviour",
    metavar="KEY",
    help="What to decode, as in train_KEY.  [default: behavior, velocity, hand_vel, … where there]",
)
@click.option(
    "--condition",
    metavar="KEY",
    help="Each trial's condition, as in train_KEY.  [default: condition or cond_idx where there]",
)
@click.option(
    "--lag-ms",
    type=float,
    multiple=True,
    metavar="MS",
    help="How much later the behaviour is. Several: cross-validation chooses.  [default: -100 to "
    "200 in steps of 20]",
)
@click.option("--lag-bins", type=int, multiple=True, metavar="N", help="The same in bins.")
@click.option(
    "--kernel-ms",
    type=float,
    metavar="MS",
    help="Sd of the Gaussian that smooths spikes for PSTHs.  [default: 50]",
)
@click.option("--kernel-bins", type=float, metavar="N", help="The same in bins.")
@click.option(
    "--bin-ms", type=float, metavar="MS", help="How wide bins are, where the file does not say it."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def evaluate(
    *,
    results: Path,
    behaviour: str | None,
    condition: str | None,
    lag_ms: tuple[float, ...],
    lag_bins: tuple[int, ...],
    kernel_ms: float | None,
    kernel_bins: float | None,
    bin_ms: float | None,
    as_json: bool,
) -> None:
    """Say how good the rates of a run are: its results folder, autolfads.zip or one file of it.

    bps, co_bps and fp_bps are bits per spike; R² is of rates to true rates, of behaviour decoded
    from rates, and of condition means of rates to PSTHs, each where the data are there.
    """
    from autolfads_trainer.evaluation.evaluate import evaluate_results  # noqa: PLC0415  (slow)
    from autolfads_trainer.evaluation.options import Options  # noqa: PLC0415
    from autolfads_trainer.evaluation.table import lines_of  # noqa: PLC0415
    from autolfads_trainer.evaluation.values import to_json  # noqa: PLC0415

    options = Options(
        behaviour=behaviour,
        condition=condition,
        lag_ms=lag_ms,
        lag_bins=lag_bins,
        kernel_ms=kernel_ms,
        kernel_bins=kernel_bins,
        bin_ms=bin_ms,
    )
    found = evaluate_results(results, options)
    if as_json:
        click.echo(json.dumps(to_json(found), indent=1))
        return
    for line in lines_of(found):
        click.echo(line)
