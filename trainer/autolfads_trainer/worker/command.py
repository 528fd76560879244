"""The command that a controller starts a worker with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from autolfads_trainer import own_classes
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.freed_memory import keep_freed_memory
from autolfads_trainer.lanes import lane_of
from autolfads_trainer.store import RunFolder
from autolfads_trainer.worker.lane import Worker
from autolfads_trainer.worker.process import Process, number_of_lanes, work_in_lanes


def _whole_or_auto(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if value != "auto" and not (value.isascii() and value.isdecimal() and int(value)):
        raise click.BadParameter(f"found {value!r}; expected a whole number of at least 1, or auto")
    return value


@click.command()
@click.option("--run", "root", type=click.Path(path_type=Path), required=True)
@click.option("--life", required=True, help="This worker's name, never used again.")
@click.option("--device", default="auto", show_default=True)
@click.option("--threads", default=1, show_default=True, help="CPU threads.")
@click.option("--save-every", default=300.0, show_default=True, help="Seconds.")
@click.option("--parent", type=int, help="Leave when this process is no longer the parent.")
@click.option("--allow-import", multiple=True)
@click.option("--data", "data_at", type=click.Path(path_type=Path), help="Where the data lie now.")
@click.option(
    "--room-at", type=click.Path(path_type=Path), help="The folder whose disk must have room."
)
@click.option(
    "--gpu-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="How much of the GPU's memory may be used, where workers share one.",
)
@click.option(
    "--members-at-once",
    metavar="N|auto",
    default="1",
    show_default=True,
    callback=_whole_or_auto,
    help="How many members are trained side by side; auto: as many as are this worker's share.",
)
@click.option("--workers", default=0, help="Who share the members of a run that is prepared.")
@click.option("--measure", default=0, help="What a run takes with so many workers; 0: no.")
@click.option("--only-prepares", is_flag=True, help="It need not load what training needs.")
def main(
    root: Path,
    life: str,
    device: str,
    threads: int,
    save_every: float,
    parent: int | None,
    allow_import: tuple[str, ...],
    data_at: Path | None,
    room_at: Path | None,
    gpu_share: float,
    members_at_once: str,
    workers: int,
    measure: int,
    only_prepares: bool,
) -> None:
    """Work for the run in a run directory. Started by a controller, not by hand."""
    # Read by OpenMP when torch is loaded, which is later.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    # Threads that spin while they wait take the cores from those that they wait for, where others
    # use them, too: a run on two threads took eight times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    keep_freed_memory()
    try:
        folder = RunFolder(root)
        own_classes.allow(allow_import)
        process = Process(parent)
        process.hear_signals()
        process.lanes = number_of_lanes(folder, members_at_once, workers, device)
        lanes = [
            Worker(
                folder,
                lane_of(life, number),
                device=device,
                save_every=save_every,
                process=process,
                allow_import=allow_import,
                data_at=data_at,
                room_at=room_at,
                gpu_share=gpu_share,
                trains=not only_prepares,
                measures_with=measure,
            )
            for number in range(process.lanes)
        ]
        sys.exit(work_in_lanes(process, lanes))
    except (StoreError, OSError) as error:
        click.echo(f"worker {life}: {error}", err=True)
        sys.exit(1)
