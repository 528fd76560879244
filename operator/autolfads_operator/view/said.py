"""What `autolfads run` says beside the picture: notes, troubles of the disk, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from autolfads_operator.errors import RunStopped
from autolfads_trainer.disk import read_bytes
from autolfads_trainer.disk_errors import in_words
from autolfads_trainer.records import End
from autolfads_trainer.store import MAX_JSON_BYTES, RunFolder


def of_folder(root: Path, words: str) -> str:
    """Return what is wrong in a run's folder with the folder's name, which may be in it already."""
    return words if words.startswith(str(root)) else f"{root}: {words}"


def stopped_by(root: Path, error: OSError) -> RunStopped:
    """Return what to tell when a disk's error ended the command."""
    if error.filename == str(root) or not root.is_dir():
        return RunStopped(
            f"{root}: is gone: the run's folder was moved or removed, or its volume is not "
            "mounted; bring it back, and the same command goes on"
        )
    if isinstance(error, FileNotFoundError):
        return RunStopped(
            f"{error.filename}: is gone: something removed it during the run; the same command "
            "goes on with what is left"
        )
    words = in_words(error)
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        words = f"{error.filename}: {error.strerror}: expected as autolfads made it"
    words = of_folder(root, words)
    return RunStopped(f"{words}; when that is mended, the same command goes on")


@dataclass
class Said:
    """Says what there is to say of the run in `root`, each thing once."""

    console: Console
    root: Path
    _noted: bool = field(default=False, init=False)

    def going_on(self) -> None:
        """There was a run already."""
        self._line(f"going on with the run in {self.root}")

    def notes(self, notes: Sequence[str]) -> None:
        """What *prepare* found worth saying."""
        if not self._noted:
            self._noted = bool(notes)
            for note in notes:
                self._line(f"note: {note}", "dim")

    def trouble(self, trouble: str | None) -> None:
        """What is wrong with the disk; None: it is over."""
        if trouble is None:
            self._line("going on: the disk works again", "yellow")
            return
        self._line(
            f"waiting: {of_folder(self.root, trouble)}; what is finished is kept, and the run "
            "goes on when this is mended",
            "yellow",
        )

    def leaving(self, in_trouble: bool) -> None:
        """The user stops the run."""
        what = (
            "what was saved before is kept; nothing can be saved now"
            if in_trouble
            else "workers save and leave (Ctrl-C again does not wait for that)"
        )
        self._line(f"stopping: {what}")

    def saved(self, not_saved: Sequence[int]) -> None:
        """What became of the members in training when the user stopped the run."""
        if not not_saved:
            self._line("members are saved")
            return
        members = ", ".join(map(str, not_saved))
        which = f"members {members} were" if len(not_saved) > 1 else f"member {members} was"
        self._line(f"{which} not saved, and will go on from what was saved before", "yellow")

    def left(self, paths: Sequence[str]) -> None:
        """What the disk would not let be removed."""
        what = f"{len(paths)} files" if len(paths) > 1 else "a file"
        self._line(
            f"note: {self.root}: the disk did not let autolfads remove {what} that nobody needs: "
            f"{paths[0]}{', …' if len(paths) > 1 else ''}",
            "yellow",
        )

    def end(self, folder: RunFolder, end: End) -> None:
        """How the run ended. Raises `RunStopped` if it failed, or its results are gone."""
        if end.state == "failed":
            raise RunStopped(f"the run failed: {end.reason}")
        for line in summary_lines(folder, end):
            self._line(line)

    def _line(self, text: str, style: str | None = None) -> None:
        self.console.print(text, style=style, highlight=False, soft_wrap=True)


def summary_lines(folder: RunFolder, end: End) -> tuple[str, ...]:
    """Return a run's results in a few lines. Raises `RunStopped` if any are gone or changed."""
    path = folder.results / "summary.json"
    try:
        summary = json.loads(read_bytes(path, MAX_JSON_BYTES, within=folder.root))
        lines = _lines_of(summary, folder, end)
        found = _harmed(folder)
        if found is None:
            return lines
    except OSError as error:
        found = f"{error.filename or path}: cannot be read: {error.strerror}"
    except (ValueError, LookupError, TypeError, RecursionError):
        found = f"{path}: cannot be read: it was changed"
    if (folder.root / "members").is_dir():
        what = (
            "To write the results again, remove results, end.json and export in "
            f"{folder.root}, and give the same command"
        )
    else:
        what = f"Without {folder.root / 'members'} the results cannot be written again"
    raise RunStopped(f"{found}; the run has ended. {what}")


def _lines_of(summary: Any, folder: RunFolder, end: End) -> tuple[str, ...]:
    quality = ", ".join(
        f"{name} {summary[key]:.4f}"
        for key, name in (("bps", "bps"), ("co_bps", "co_bps"), ("r2", "R² to the true rates"))
        if summary[key] is not None
    )
    return (
        f"done: {end.reason}; best is member {summary['best_member']} after "
        f"{summary['epochs']} epochs, {summary['exploits']} exploits",
        f"validation trials: {quality or 'nothing to score'}",
        f"results: {folder.results / 'autolfads.zip'}",
        f"report:  {folder.results / 'report.html'}",
    )


def _harmed(folder: RunFolder) -> str | None:
    """Say of a result that it is not as it was written. Raises `OSError` for one that is missing.

    Their size alone is looked at: rates can be gigabytes, and this is asked for often.
    """
    sizes: dict[str, int | None] = {"autolfads.zip": None, "report.html": None}
    for _, outcome in folder.attempts("export"):
        if outcome is not None and outcome.outcome == "finished":
            sizes |= outcome.files
            break
    for name, size in sizes.items():
        found = (folder.results / name).stat().st_size
        if size is not None and found != size:
            return f"{folder.results / name}: was changed: found {found} bytes; expected {size}"
    return None
