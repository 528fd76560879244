"""The trainer's commands, which join `autolfads` by entry points.

The libraries that take time to import (NumPy, SciPy, h5py) are imported by the command that needs
them, so that `autolfads --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autolfads_trainer.userinput import InputError

if TYPE_CHECKING:
    from autolfads_trainer.data.split.rules import Rule

_force = click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
_heldout = click.option(
    "--heldout",
    type=int,
    default=0,
    metavar="N",
    help="Leave the last N channels out of what the model sees; they are scored as co_bps.",
)


@click.command()
@click.argument("problem", metavar="lorenz|chaotic")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.h5")
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of start states, read-out and spikes; the chaotic network itself stays the same.",
)
@click.option("--conditions", type=int, metavar="N", help="Start states. [lorenz 65, chaotic 130]")
@click.option("--trials", type=int, metavar="N", help="Per condition. [lorenz 24, chaotic 10]")
@click.option("--channels", type=int, metavar="N", help="Neurons. [lorenz 29, chaotic 50]")
@_heldout
@click.option(
    "--session",
    type=int,
    default=0,
    show_default=True,
    metavar="K",
    help="Another recording of the seed's dynamics: other channels, other spikes.",
)
@_force
def generate(
    *,
    problem: str,
    out: Path,
    seed: int,
    conditions: int | None,
    trials: int | None,
    channels: int | None,
    heldout: int,
    session: int,
    force: bool,
) -> None:
    """Write a problem with known rates to OUT.h5, to try things on.

    lorenz: channels driven by a Lorenz attractor, 50 bins of 20 ms. chaotic: units of a chaotic
    recurrent network, 100 bins of 10 ms. The true rates are in train_truth and valid_truth, in Hz.
    """
    from autolfads_trainer.data import problems  # noqa: PLC0415  (slow import)

    problems.check_target(out, force=force)
    sizes = {"conditions": conditions, "trials": trials, "channels": channels}
    arrays = problems.generate(problem, seed, **sizes, heldout=heldout, session=session)
    attributes = problems.describe(problem, seed, **sizes, heldout=heldout, session=session)
    problems.write(out, arrays, attributes, force=force)
    train, bins, neurons = arrays["train_recon_data"].shape
    further = f", session {session}" if session else ""
    click.echo(
        f"{out}: {problem}, seed {seed}{further}: {train} training and "
        f"{len(arrays['valid_recon_data'])} validation trials, {bins} bins, {neurons} channels "
        f"({heldout} held out)"
    )


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="IN")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.h5")
@click.option("--every", type=int, metavar="N", help="Every Nth trial is for validation.")
@click.option("--random", type=float, metavar="F", help="A random fraction F of the trials is.")
@click.option("--by", metavar="KEY", help="A fraction within each condition is; KEY has them.")
@click.option("--valid-fraction", type=float, metavar="F", help="The fraction for --by. [0.2]")
@click.option("--seed", type=int, metavar="N", help="For --random and --by. [0]")
@click.option("--key", metavar="NAME", help="The array of spikes, where there are several.")
@_heldout
@click.option("--heldin-key", metavar="NAME", help="An array with 1 for each held-in channel.")
@click.option(
    "--forward-steps",
    type=int,
    default=0,
    metavar="N",
    help="Leave the last N bins out of what the model sees; they are scored as fp_bps.",
)
@_force
def split(
    *,
    source: Path,
    out: Path,
    every: int | None,
    random: float | None,
    by: str | None,
    valid_fraction: float | None,
    seed: int | None,
    key: str | None,
    heldout: int,
    heldin_key: str | None,
    forward_steps: int,
    force: bool,
) -> None:
    """Make the train/valid file OUT.h5 from one array of trials in IN.

    IN is HDF5, .npz or MATLAB's .mat (also v7.3) and holds spike counts (trials, time, channels).
    Arrays with a row per trial beside it are split alike, others are copied. Say how to choose the
    validation trials with one of --every, --random and --by.
    """
    rule = _rule(every, random, by, valid_fraction, seed)
    from autolfads_trainer.data.split.trials import report, split_file  # noqa: PLC0415  (slow)

    result = split_file(
        source,
        out,
        rule,
        key=key,
        heldout=heldout,
        heldin_key=heldin_key,
        forward_steps=forward_steps,
        force=force,
    )
    for line in report(result):
        click.echo(f"{out}: {line}")


def _rule(
    every: int | None,
    random: float | None,
    by: str | None,
    valid_fraction: float | None,
    seed: int | None,
) -> Rule:
    from autolfads_trainer.data.split import rules  # noqa: PLC0415  (slow import)

    given = {"--every": every, "--random": random, "--by": by}
    chosen = [option for option, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise InputError(
            f"split: found {' and '.join(chosen) or 'no rule'}; "
            "expected one of --every N, --random FRACTION and --by CONDITION_KEY"
        )
    if valid_fraction is not None and by is None:
        raise InputError(f"split: found --valid-fraction with {chosen[0]}; it belongs to --by")
    if every is not None:
        if seed is not None:
            raise InputError("split: found --seed with --every; it belongs to --random and --by")
        return rules.Every(every)
    if random is not None:
        return rules.RandomFraction(random, seed or 0)
    fraction = 0.2 if valid_fraction is None else valid_fraction
    return rules.ByCondition(str(by), fraction, seed or 0)
