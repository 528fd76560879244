"""`autolfads …`: the command line.

Commands of the trainer join by entry points; where the trainer is not installed they are absent,
and asking for one says why.

Exit codes: 0 done, 1 failed, 2 wrong input, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import sys
import tempfile
import threading
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click

from autolfads_operator import __version__
from autolfads_operator.claiming import (
    alone,
    claim,
    folder_of,
    forget,
    is_at_work,
    leave_no_trace,
    opened_run,
    owner_of,
)
from autolfads_operator.controller.observe import read_statuses
from autolfads_operator.controller.reading import read_ledger
from autolfads_operator.entry import INTERRUPTED
from autolfads_operator.errors import RunStopped
from autolfads_operator.local_run import Interrupted, Settings, run_here
from autolfads_operator.looking_back import history, replay
from autolfads_operator.machine import default_workers, gpu_count, worker_arguments
from autolfads_operator.manifest import fields_without_meaning_locally, read_manifest
from autolfads_operator.operator_command import check_installation, operator
from autolfads_operator.view.picture import Picture, at_rest, picture_of
from autolfads_operator.view.said import Said, stopped_by, summary_lines
from autolfads_operator.view.show import PatientConsole, render, view_for
from autolfads_trainer.disk_errors import StoreError
from autolfads_trainer.records import End, Owner
from autolfads_trainer.store import RunFolder
from autolfads_trainer.userinput import InputError

FAILED, WRONG_INPUT = 1, 2
TRAINER_NEEDS = ("torch", "h5py")


def missing_for_the_trainer() -> list[str]:
    """Return the packages of the trainer that are not installed."""
    return [name for name in TRAINER_NEEDS if not _can_be_found(name)]


def _can_be_found(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter(f"found {seconds}; expected a number of seconds")
    return seconds


class Commands(click.Group):
    """The group of all commands, those of the trainer included."""

    def _plugins(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group="autolfads.commands")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands that can be used."""
        plugins = [] if missing_for_the_trainer() else list(self._plugins())
        return sorted({*super().list_commands(ctx), *plugins})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name. Raises `InputError` when only its package is missing."""
        own = super().get_command(ctx, cmd_name)
        plugin = self._plugins().get(cmd_name)
        if own is not None or plugin is None:
            return own
        missing = missing_for_the_trainer()
        if missing:
            raise InputError(
                f"'autolfads {cmd_name}' belongs to the trainer, and {' and '.join(missing)} "
                "cannot be found; install it with: pip install 'autolfads[trainer]'"
            )
        command = plugin.load()
        assert isinstance(command, click.Command)  # noqa: S101
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="autolfads")
def commands() -> None:
    """AutoLFADS: denoised firing rates from neural spikes.

    Trains a population of LFADS models and tunes their hyperparameters while they train
    (population-based training). Begin with `autolfads run run.yaml`.
    """


@commands.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run's folder. An unfinished run in it is gone on with.  [default: runs/NAME beside "
    "the manifest]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Worker processes.  [default: one for each core or each GPU, at most "
    "spec.workers.count and the population]",
)
@click.option(
    "--threads", type=click.IntRange(min=1), default=1, show_default=True, help="CPU threads each."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto: the GPU when there is one.",
)
@click.option(
    "--save-every",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    callback=lambda _context, _option, value: _finite(value),
    help="Seconds between checkpoints within a generation: what a crash can cost.",
)
@click.option(
    "--allow-import",
    multiple=True,
    metavar="MODULE",
    help="A module of yours, on Python's path, whose classes `_target_` may name.",
)
def run(
    manifest: Path,
    out: Path | None,
    workers: int | None,
    threads: int,
    device: str,
    save_every: float,
    allow_import: tuple[str, ...],
) -> None:
    """Run the AutoLFADSRun in MANIFEST on this machine.

    Leaves autolfads.zip, report.html and more in results/ below the run's folder. Ctrl-C stops
    cleanly: members are saved, and the same command goes on with the run.
    """
    console = PatientConsole()
    _need_trainer()
    asked = read_manifest(manifest)
    owner = owner_of(asked, manifest)
    if device == "cuda" and gpu_count() == 0:
        raise InputError("--device cuda: found no GPU; expected one, or --device cpu")
    folder = RunFolder(folder_of(asked, manifest, out))
    settings = Settings(
        most_workers=asked.spec.workers.count,
        workers=workers,
        members_at_once=asked.spec.workers.members_at_once,
        population=asked.spec.population,
        device=device,
        worker_arguments=worker_arguments(
            threads, device, save_every, allow_import, data=owner.spec["data"].get("path")
        ),
    )
    for field in fields_without_meaning_locally(asked):
        console.print(f"note: {field} has no meaning on one machine", style="dim", highlight=False)
    said = Said(console, folder.root)
    ours = False
    with alone(folder.root):
        try:
            owner = claim(folder, owner)
            ours = True
            ended = folder.end()
            if ended is None:
                ended = _run(said, folder, owner, settings)
        except InputError as error:
            if ours:
                forget(folder)
            leave_no_trace(folder)
            raise _from(manifest, error) from None
        except StoreError:
            leave_no_trace(folder)
            raise
        except OSError as error:
            raise stopped_by(folder.root, error) from error
    said.end(folder, ended)


def _run(said: Said, folder: RunFolder, owner: Owner, settings: Settings) -> End:
    if folder.run() is not None:
        said.going_on()
    view = view_for(said.console)

    def show(picture: Picture, seconds_left: float | None) -> None:
        said.notes(picture.notes)
        view.show(picture, seconds_left)

    try:
        end = run_here(
            folder,
            owner,
            settings,
            show,
            tell=said.trouble,
            leaving=said.leaving,
            saved=said.saved,
            left=said.left,
        )
    finally:
        view.close()
    assert end is not None  # noqa: S101  (it ran to its end)
    return end


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def status(folder: Path, as_json: bool) -> None:
    """Show how the run in FOLDER is doing, or how it ended."""
    run_folder, owner = opened_run(folder)
    ledger = read_ledger(run_folder, owner)
    lives = [attempt.task.worker for attempt in ledger.open_attempts()]
    picture = picture_of(ledger, read_statuses(run_folder, lives))
    at_work = is_at_work(folder)
    if not at_work:
        picture = at_rest(picture)
    console = PatientConsole()
    if as_json:
        click.echo(json.dumps({**picture.to_json(), "at_work": at_work}, indent=1))
        return
    console.print(render(picture, None))
    if ledger.end is None and not at_work:
        console.print("  nobody is at work on it here; 'autolfads run' with its manifest goes on")
    if picture.reason:
        console.print(f"  {picture.reason}", highlight=False, soft_wrap=True)
    if ledger.end is not None and ledger.end.state == "succeeded":
        summary_lines(run_folder, ledger.end)  # says so where the results are gone


@commands.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option("--allow-import", multiple=True, metavar="MODULE", help="As for `run`.")
@click.option("--quick", is_flag=True, help="Do not measure what time and memory the run takes.")
def validate(manifest: Path, allow_import: tuple[str, ...], quick: bool) -> None:
    """Check MANIFEST and its data, and say what the run takes here.

    Nothing is kept of the few steps that are trained to measure that.
    """
    console = PatientConsole()
    _need_trainer()
    asked = read_manifest(manifest)
    owner = owner_of(asked, manifest)
    with tempfile.TemporaryDirectory(prefix="autolfads-") as scratch:
        folder = RunFolder(Path(scratch) / "run")
        with alone(folder.root):
            owner = claim(folder, owner)
            # It is the disk of the run's folder that must have room, not that of this one.
            there = folder_of(asked, manifest, None)
            workers = min(asked.spec.workers.count, default_workers("auto"))
            arguments = worker_arguments(
                *(1, "auto", 300.0, allow_import),
                room_at=there,
                measure=0 if quick else workers,
            )
            settings = Settings(1, device="cpu", worker_arguments=arguments)
            try:
                run_here(folder, owner, settings, lambda *_: None, until_prepared=True)
            except InputError as error:
                raise _from(manifest, error) from None
        run = folder.run()
        assert run is not None  # noqa: S101  (it was prepared)
        outcomes = [ending for _, ending in folder.attempts("prepare") if ending is not None]
        told = outcomes[-1].result.get("told", "")
    for field in fields_without_meaning_locally(asked):
        console.print(f"note: {field} has no meaning on one machine", style="dim", highlight=False)
    for note in run.notes:
        console.print(f"note: {note}", style="dim", highlight=False, soft_wrap=True)
    console.print(
        f"{manifest}: good. {run.population} member{'s' * (run.population > 1)}, "
        f"at most {run.pbt.max_epochs} epochs each; {told}",
        highlight=False,
        soft_wrap=True,
    )


commands.add_command(operator)
commands.add_command(check_installation)
commands.add_command(replay)
commands.add_command(history)


def _from(manifest: Path, error: InputError) -> InputError:
    """Return the error with the manifest's name before what it says of a field."""
    inside = str(error).startswith(("spec.", "generate:"))
    return InputError(f"{manifest}: {error}") if inside else error


def _need_trainer() -> None:
    missing = missing_for_the_trainer()
    if missing:
        raise InputError(
            f"runs on this machine need the trainer, and {' and '.join(missing)} cannot be found; "
            "install it with: pip install 'autolfads[trainer]'"
        )


def main() -> None:
    """Run the command line: every error the user can mend is one message and an exit code."""
    code = _exit_code()
    if any(thread.name.startswith("ThreadPool") for thread in threading.enumerate()):
        # In calls to a volume that hangs: Python would wait for these, and nobody else does.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _exit_code() -> int:
    code = FAILED
    try:
        code = commands.main(standalone_mode=False) or 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 0
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except click.ClickException as error:
        error.show()
        code = WRONG_INPUT
    except InputError as error:
        _say(str(error))
        code = WRONG_INPUT
    except (RunStopped, StoreError) as error:
        _say(str(error))
    except Interrupted:
        _say("interrupted; the same command goes on with the run")
        code = INTERRUPTED
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; the same command does it")
        code = INTERRUPTED
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return code


def _say(message: str) -> None:
    click.echo(f"autolfads: {message}", err=True)


if __name__ == "__main__":
    main()
