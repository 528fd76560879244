"""The command `autolfads pcr`. What it needs takes time to import, and is imported when it runs."""

from __future__ import annotations

from pathlib import Path

import click

from autolfads_trainer.userinput import InputError


@click.command()
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE.h5..."
)
@click.option(
    "--components",
    type=int,
    metavar="F",
    help="Dimensions of the shared space: the model's fac_dim. [at most 20]",
)
@click.option("--by", metavar="KEY", help="train_KEY has the conditions. [condition, cond_idx]")
@click.option("--trials", is_flag=True, help="Compare averages of all trials, not of conditions.")
@click.option("--smooth-ms", type=float, metavar="S", help="Std of the smoothing Gaussian in ms.")
@click.option("--smooth-bins", type=float, metavar="S", help="The same in bins. [2]")
@click.option(
    "--ridge",
    type=float,
    default=0.01,
    show_default=True,
    metavar="L",
    help="Weighs squared weights against squared errors in spikes per bin.",
)
@click.option(
    "--out-dir", type=click.Path(path_type=Path), metavar="DIR", help="Write copies of the files."
)
@click.option("--in-place", is_flag=True, help="Write into the files themselves.")
@click.option("--force", is_flag=True, help="Replace copies, or start values, that are there.")
def pcr(
    *,
    files: tuple[Path, ...],
    components: int | None,
    by: str | None,
    trials: bool,
    smooth_ms: float | None,
    smooth_bins: float | None,
    ridge: float,
    out_dir: Path | None,
    in_place: bool,
    force: bool,
) -> None:
    """Compute start values that put several sessions into one space, and write them into FILES.

    Each FILE is one session, with training and validation trials. Averages over the training
    trials of the conditions that all files share are compared by principal components regression.
    The files, or copies of them, get readin_weight and readout_bias, with which MultisessionReadin
    and MultisessionReadout start where pcr_init is true.
    """
    if (out_dir is None) == (not in_place):
        found = "both" if in_place else "neither"
        raise InputError(f"pcr: found {found} of --out-dir and --in-place; expected one of them")
    from autolfads_trainer.data.pcr import report, sessions, writing  # noqa: PLC0415  (slow import)
    from autolfads_trainer.data.pcr.settings import Settings  # noqa: PLC0415

    settings = Settings(components, by, trials, smooth_bins, smooth_ms, ridge)
    writing.refuse_twice(files)
    targets = files if out_dir is None else writing.copies_in(out_dir, files, force=force)
    result = sessions.start_values(files, settings)
    if in_place:
        for session in result.sessions:
            writing.refuse_to_change(session, force=force)
    for line in report.report(result):
        click.echo(line)
    for session, target in zip(result.sessions, targets, strict=True):
        writing.write_start(session, target, report.attributes(result, session, settings))
        click.echo(f"{target}: wrote {', '.join(session.arrays)}")
