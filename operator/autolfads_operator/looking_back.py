"""`autolfads replay` and `autolfads history`: what a run's folder says of the past."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from autolfads_operator.claiming import is_at_work, opened_run
from autolfads_operator.replay import Records, Report, read_records
from autolfads_operator.replay import replay as check
from autolfads_operator.replay.story import Story, story_of
from autolfads_operator.view.show import PatientConsole
from autolfads_operator.view.tell import lines_of, printable
from autolfads_trainer.userinput import InputError

DIFFERENT = 1  # exit code: there are findings


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def replay(folder: Path, as_json: bool) -> None:
    """Decide the run in FOLDER again, and say where its records differ.

    Every order, start and end is derived from the seed and the scores. A run that is not over is
    checked as far as it is. Exit code 1: something is not what it should be.
    """
    _, report = _looked_at(folder)
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        _print([str(finding) for finding in report.findings] or [str(report)])
    if report.findings:
        sys.exit(DIFFERENT)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--generation", type=click.IntRange(min=1), help="Tell of this generation alone.")
@click.option("--member", type=click.IntRange(min=0), help="Tell of this member alone.")
@click.option("--all", "everything", is_flag=True, help="All generations in full.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for scripts.")
def history(
    folder: Path, generation: int | None, member: int | None, everything: bool, as_json: bool
) -> None:
    """Tell the story of the run in FOLDER: who copied whom and why, what went wrong, the end.

    Generations after the 20th are one line each, unless --all is given. Exit code 1: records are
    missing or changed, so that it may not be the whole story, or a true one.
    """
    records, report = _looked_at(folder)
    try:
        story = story_of(records)
    except (ValueError, ArithmeticError):  # of settings that no run can have
        raise InputError(f"{folder / str(report.findings[0])}: its story cannot be told") from None
    _must_have(folder, story, generation, member)
    if as_json:
        click.echo(json.dumps(story.only(generation, member).to_json(), indent=1))
    else:
        width = PatientConsole().width
        only = {"generation": generation, "member": member}
        _print(lines_of(story, width=width, **only, everything=everything))
    if report.findings:
        click.echo(
            f"{folder}: not every record is what it should be, so that "
            "this may not be the whole story: `autolfads replay` names them",
            err=True,
        )
        sys.exit(DIFFERENT)


def _print(lines: Iterable[str]) -> None:
    console = PatientConsole()
    for line in lines:
        console.print(printable(line), highlight=False, soft_wrap=True, markup=False)


def _looked_at(folder: Path) -> tuple[Records, Report]:
    """Read a run's records, and see whether they are what they should be."""
    records = _records(folder)
    report = check(records)
    if report.findings and is_at_work(folder):
        # It went on while it was read: what is really wrong is found twice.
        records = _records(folder)
        report = check(records).only(report.findings)
    return records, report


def _records(folder: Path) -> Records:
    return read_records(*opened_run(folder))


def _must_have(folder: Path, story: Story, generation: int | None, member: int | None) -> None:
    most = max((chapter.generation for chapter in story.chapters), default=0)
    if generation is not None and generation > most:
        raise InputError(f"{folder}: has {most} generations; found --generation {generation}")
    population = story.run.population if story.run is not None else 0
    if member is not None and member >= population:
        raise InputError(f"{folder}: has {population} members, from 0 on; found --member {member}")
