"""Showing a picture: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autolfads_operator.view.pace import duration
from autolfads_operator.view.picture import MemberPicture, Picture

MOST_MEMBERS = 16  # rows; beyond that only those in training are listed one by one
COLOURS = {"training": "cyan", "finished": "green", "lost": "red", "waiting": "dim"}


class PatientConsole(Console):
    """A console that nobody need go on reading: the run is worth more than its view.

    What it prints is printed as it is: a path may have `[` in it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, **settings)

    def on_broken_pipe(self) -> None:
        """Go on without a word when the reader has gone (`autolfads run … | head`)."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class View(Protocol):
    """Something that pictures are shown on."""

    def show(self, picture: Picture, seconds_left: float | None) -> None:
        """Show a new picture."""

    def close(self) -> None:
        """Leave the screen as it is."""


def view_for(console: Console) -> View:
    """Return a live view for a terminal, plain lines for a file or a pipe."""
    return LiveView(console) if console.is_terminal else PlainView(console)


class LiveView:
    """A table that is drawn anew in place."""

    def __init__(self, console: Console) -> None:
        self.live = Live(console=console, refresh_per_second=4, transient=False)
        self.live.start()

    def show(self, picture: Picture, seconds_left: float | None) -> None:
        """Replace the table."""
        self.live.update(render(picture, seconds_left))

    def close(self) -> None:
        """Stop drawing; the last table stays."""
        self.live.stop()


class PlainView:
    """One line when something happens: a stage, a member's end, a generation."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.said: set[str] = set()

    def show(self, picture: Picture, seconds_left: float | None) -> None:
        """Print what is new."""
        left = f", at most {duration(seconds_left)} left" if seconds_left is not None else ""
        if picture.state == "preparing":
            self._say("preparing")
        if picture.generation > 1:  # the last members to end had no picture of their own
            self._say_scores(picture.before)
        if picture.state == "training" and picture.generation:
            self._say(f"generation {picture.generation} of {picture.last_generation}", left)
        self._say_scores(picture.members)
        if picture.state == "exporting":
            self._say("exporting")
            if picture.doing:
                self._say(picture.doing.partition(":")[0])

    def _say_scores(self, members: Sequence[MemberPicture]) -> None:
        for member in members:
            which = f"generation {member.generation}: member {member.member}"
            if member.state == "finished":
                self._say(f"{which} at epoch {member.end_epoch}: score {member.score:.4f}")
            elif member.state == "lost":
                self._say(f"{which} is lost: {member.reason or 'nobody said why'}")

    def _say(self, line: str, besides: str = "") -> None:
        if line not in self.said:
            self.said.add(line)
            self.console.print(line + besides, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing is open."""


def render(picture: Picture, seconds_left: float | None) -> RenderableType:
    """Draw a picture."""
    parts: list[RenderableType] = [_headline(picture, seconds_left)]
    if picture.members and picture.state in ("training", "interrupted"):
        parts.append(_table(picture))
    if picture.doing:
        parts.append(Text(f"  {picture.doing}", style="cyan"))
    if picture.trouble:
        parts.append(Text(f"  waiting: {picture.trouble}", style="yellow"))
    return Group(*parts)


def _headline(picture: Picture, seconds_left: float | None) -> Text:
    text = Text.assemble((picture.name, "bold"), "  ", (picture.state, "bold cyan"))
    if picture.generation:
        text.append(f"  generation {picture.generation} of {picture.last_generation}")
    if picture.epochs_in_all:
        text.append(f"  {picture.epochs_done / picture.epochs_in_all:.0%}")
    if picture.best_score is not None:
        text.append(
            f"  best {picture.best_score:.4f} (member {picture.best_member}, "
            f"generation {picture.best_generation})",
            style="green",
        )
    if seconds_left is not None:
        text.append(f"  at most {duration(seconds_left)} left")
    return text


def _table(picture: Picture) -> RenderableType:
    # What does not fit is cut from the last column: its sentences are long, and matter least.
    table = Table(box=None, padding=(0, 1, 0, 1), header_style="dim", expand=True)
    table.add_column("member", justify="right", no_wrap=True)
    apart = len({member.generation for member in picture.members}) > 1  # asynchronous
    if apart:
        table.add_column("generation", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column(picture.metric or "score", justify="right", no_wrap=True)
    table.add_column("started from", overflow="ellipsis", no_wrap=True, ratio=1)
    shown = picture.members
    if len(shown) > MOST_MEMBERS:
        shown = tuple(member for member in shown if member.state == "training")[:MOST_MEMBERS]
    for member in shown:
        number, *rest = _row(member)
        own = [str(member.generation)] if apart else []
        table.add_row(number, *own, *rest, style=COLOURS[member.state])
    hidden = [member for member in picture.members if member not in shown]
    counts = {state: sum(m.state == state for m in hidden) for state in COLOURS}
    words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return Group(table, Text(f"      …  {words}", style="dim")) if hidden else table


def _row(member: MemberPicture) -> tuple[str, str, str, str, str]:
    score = f"{member.score:.4f}" if member.score is not None else "–"
    tries = f" (attempt {member.attempts})" if member.attempts > 1 else ""
    epoch = f"{member.epoch:.1f}/{member.end_epoch}"
    return str(member.member), member.state + tries, epoch, score, member.why
