"""`autolfads infer`: a trained model on new trials."""

from __future__ import annotations

from pathlib import Path

import click

from autolfads_trainer.userinput import InputError


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.ckpt")
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA.h5")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.h5")
@click.option(
    "--session",
    metavar="NAME|N",
    help="Whose read-in and read-out to use, of a model of several sessions: by the name of its "
    "data file, or counted from 0.",
)
@click.option(
    "--samples", default=50, show_default=True, help="Posterior samples to take the mean of."
)
@click.option("--batch-size", default=64, show_default=True, help="Trials in memory at once.")
@click.option("--seed", default=0, show_default=True, help="Of the samples.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto: the GPU when there is one.",
)
@click.option(
    "--allow-import", multiple=True, metavar="MODULE", help="A module of yours that MODEL names."
)
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
def infer(
    *,
    model: Path,
    data: Path,
    out: Path,
    session: str | None,
    samples: int,
    batch_size: int,
    seed: int,
    device: str,
    allow_import: tuple[str, ...],
    force: bool,
) -> None:
    """Infer rates and latent states of new trials with a trained model.

    DATA holds one array of spike counts or more, `encod_data` or `<name>_encod_data`, each (trials,
    time, channels) with the channels that the model was trained on. OUT gets `<name>_output_params`
    (rates per bin), `<name>_factors` and all else that a run's results have. Trials are read and
    written a few at a time, however many there are.
    """
    for name, value in (("--samples", samples), ("--batch-size", batch_size)):
        if value < 1:
            raise InputError(f"infer: {name}: found {value}; expected at least 1")
    import torch  # noqa: PLC0415

    from autolfads_trainer import own_classes  # noqa: PLC0415
    from autolfads_trainer.data.problems.writing import check_target  # noqa: PLC0415
    from autolfads_trainer.inference.streaming import infer_file  # noqa: PLC0415  (loads torch)

    own_classes.allow(allow_import)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("infer: --device: found cuda, and no GPU is seen; expected cpu or auto")
    check_target(out, force=force, inputs=(model, data))
    for line in infer_file(
        model,
        data,
        out,
        session=session,
        samples=samples,
        batch_size=batch_size,
        seed=seed,
        device=device,
    ):
        click.echo(f"{out}: {line}")
