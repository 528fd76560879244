"""`autolfads convert`: checkpoints from the existing pipeline, and weights for it."""

from __future__ import annotations

from pathlib import Path

import click

from autolfads_trainer.userinput import InputError


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="IN.ckpt")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="CONFIG.yaml",
    help="The configuration of the run that IN is from, for what IN does not say.",
)
@click.option("--plain", is_flag=True, help="Write the weights alone, for the existing pipeline.")
@click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
def convert(*, source: Path, out: Path, config: Path | None, plain: bool, force: bool) -> None:
    """Make OUT from the checkpoint IN.ckpt, which lfads-torch (PyTorch Lightning) wrote.

    OUT is a checkpoint as a run's model.ckpt is. With --plain, OUT holds the state_dict alone, as
    torch.save writes it, and IN may be a run's model.ckpt, too. No code in IN is run.
    """
    if plain and config is not None:
        raise InputError(
            "convert: found --config with --plain; expected one of them, since weights alone have"
            " no configuration"
        )
    try:
        _check_target(out, source, force=force)
        lines = _convert(source, out, config, plain=plain)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    for line in lines:
        click.echo(f"{out}: {line}")


def _convert(source: Path, out: Path, config: Path | None, *, plain: bool) -> list[str]:
    """Write OUT, and return what is to be said of it."""
    from autolfads_trainer.exchange import conversion  # noqa: PLC0415  (slow import)
    from autolfads_trainer.exchange.configuration import describe  # noqa: PLC0415
    from autolfads_trainer.exchange.given import read_configuration  # noqa: PLC0415
    from autolfads_trainer.exchange.lightning import read_lightning  # noqa: PLC0415

    if plain:
        weights = conversion.plain_weights(source)
        conversion.write_plain(weights, out)
        return [f"{len(weights)} weights by the existing pipeline's names"]
    said = None if config is None else read_configuration(config)
    foreign = read_lightning(source)
    description = describe(foreign, said, str(config))
    conversion.write_ours(foreign, conversion.model_of(foreign, description), out)
    sizes = description.model
    outputs = " + ".join(str(part["out_features"]) for part in sizes["readout"]["modules"])
    when = "" if foreign.epoch is None else f", after epoch {foreign.epoch}"
    return [
        *description.notes,
        f"LFADS with {sizes['gen_dim']} generator units, {sizes['fac_dim']} factors and {outputs}"
        f" outputs{when}",
    ]


def _check_target(out: Path, source: Path, *, force: bool) -> None:
    """Raise `InputError` unless a file may be written to `out`: known before the work is done."""
    if out.is_dir():
        raise InputError(f"{out}: is a folder; expected the name of the checkpoint to write")
    if not out.parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.parent}; create it first")
    if not out.exists():
        return
    if source.exists() and out.samefile(source):
        raise InputError(f"{out}: is IN itself; choose another name")
    if not force:
        raise InputError(f"{out}: exists already; choose another name, or overwrite with --force")
