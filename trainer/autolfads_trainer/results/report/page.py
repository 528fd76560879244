"""The report as one HTML page, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from autolfads_trainer.evaluation.values import Evaluation
from autolfads_trainer.results.history import History
from autolfads_trainer.results.report.curves import population_curves
from autolfads_trainer.results.report.drawing import inline_svg
from autolfads_trainer.results.report.examples import TrialExamples
from autolfads_trainer.results.report.health import Verdict, judge
from autolfads_trainer.results.report.hyperparameters import (
    MOST,
    constant,
    hyperparameter_paths,
    tuned,
)
from autolfads_trainer.results.report.images import trial_images
from autolfads_trainer.results.report.lineage import lineage_diagram
from autolfads_trainer.results.report.quality import remarks, scores_table
from autolfads_trainer.results.report.tables import decisions, key_numbers
from autolfads_trainer.results.report.theme import CSS
from autolfads_trainer.results.report.traces import trial_traces
from autolfads_trainer.results.report.units import MOST_TRIALS
from autolfads_trainer.results.report.words import text

_LINE = '<path d="M1 6H25" stroke="var(--{colour})" stroke-width="{width}" {more}/>'
_DOT = '<circle cx="13" cy="6" r="{radius}" fill="{fill}" stroke="var(--{colour})" {more}/>'
_CROSS = '<path d="M9 2l8 8M17 2l-8 8" stroke="var(--lost)" stroke-width="2"/>'
_DASHES = 'stroke-dasharray="4 3"'


def page(
    history: History,
    summary: Mapping[str, object],
    trials: TrialExamples,
    notes: Sequence[str],
    evaluations: Sequence[Evaluation] = (),
) -> str:
    """Return the whole page. To be called within `drawing.style()`."""
    name = text(history.name)
    sections = [
        _headline(history, summary),
        _curves(history),
        _hyperparameters(history),
        _lineage(history),
        *([_quality(evaluations)] if evaluations else []),
        _trials(trials),
        _notes(summary, notes),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name} – AutoLFADS</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + "\n</main>\n</body>\n</html>\n"
    )


def _headline(history: History, summary: Mapping[str, object]) -> str:
    return (
        f"<header><h1><small>AutoLFADS run</small>{text(history.name)}</h1>"
        f"{_verdict(judge(history))}{key_numbers(summary, history)}</header>"
    )


def _verdict(verdict: Verdict) -> str:
    remarks = "".join(f"<li>{text(remark)}</li>" for remark in verdict.remarks)
    found = "It is unclear how the run went." if verdict.word == "unclear" else ""
    found = found or f"The run looks {verdict.word}."
    return (
        f'<div class="verdict" style="--word: var(--{verdict.word})"><p><strong>{found}</strong> '
        f"{text(verdict.sentence)} {text(verdict.advice)}</p>"
        + (f"<ul>{remarks}</ul>" if remarks else "")
        + "</div>"
    )


def _curves(history: History) -> str:
    key = [
        ("best lineage", _LINE.format(colour="best", width=2.5, more="")),
        ("the result", _DOT.format(colour="best", fill="var(--best)", radius=4, more="")),
        ("every member", _LINE.format(colour="faint", width=1.4, more="")),
    ]
    if history.lost():
        key.append(("lost: no finite score", _CROSS))
    return _section(
        "Training",
        "Reconstruction loss of every member, lower is better. A copy branches off the member "
        "whose weights it took over. Vertical lines mark generations; values far off the rest are "
        "cut.",
        _key(key) + _figure(population_curves(history), "curves", "train and valid recon by epoch"),
    )


def _hyperparameters(history: History) -> str:
    paths, fixed = tuned(history), constant(history)
    said = [f"Not shown: {text(', '.join(paths[MOST:]))}."] if len(paths) > MOST else []
    if fixed:
        named = ", ".join(f"{path} = {value:g}" for path, value in fixed.items())
        said.append(f"The same in every member: {text(named)}.")
    if not paths:
        caption = "No hyperparameter was tuned in this run."
        return _section("Hyperparameters", caption, _captions(said))
    key = [
        ("best lineage", _LINE.format(colour="best", width=2.5, more="")),
        ("other surviving lineages", _LINE.format(colour="faint", width=1.4, more="")),
    ]
    if history.limits:
        key.append(("enforced limit", _LINE.format(colour="copy", width=1.4, more=_DASHES)))
    return _section(
        "Hyperparameters",
        "Every hyperparameter that was tuned, along each lineage that lasted to the end, from its "
        "first ancestor on.",
        _key(key)
        + _figure(hyperparameter_paths(history), "hyperparameters", "hyperparameters by epoch")
        + _captions(said),
    )


def _lineage(history: History) -> str:
    key = [
        ("best lineage", _LINE.format(colour="best", width=2.5, more="")),
        ("the result", _DOT.format(colour="best", fill="none", radius=5, more="")),
    ]
    if any(leg.copied for leg in history.legs):
        key += [
            ("copy of a winner", _LINE.format(colour="copy", width=1.6, more="")),
            ("overwritten", _DOT.format(colour="muted", fill="none", radius=3.5, more="")),
        ]
    if history.lost():
        key.append(("lost", _CROSS))
    table = (
        f"<details><summary>Every decision ({len(history.legs)})</summary>"
        f'<div class="wide">{decisions(history)}</div></details>'
    )
    if history.population == 1:
        return _section("Who beat whom", "One member alone has nobody to beat.", table)
    figure = _figure(lineage_diagram(history), "lineage", "members' descent by generation")
    return _section(
        "Who beat whom",
        "Each row is a member, each column a generation. After a generation, the worse of a pair "
        "becomes a copy of the better.",
        _key(key) + figure + table,
    )


def _quality(evaluations: Sequence[Evaluation]) -> str:
    return _section(
        "How good the rates are",
        "bps, co_bps and fp_bps: bits per spike beyond each channel’s mean rate, for held-in "
        "channels, held-out channels and forecast bins. R²: of rates to true rates, of behaviour "
        "decoded from rates, and of condition means of rates to PSTHs; 1 is perfect.",
        f'<div class="wide">{scores_table(evaluations)}</div>' + _captions(remarks(evaluations)),
    )


def _trials(trials: TrialExamples) -> str:
    if not len(trials.numbers) or not trials.spikes.size:
        return _section("Trials", "No trial was given to show.", "")
    marks = []
    if trials.heldin < trials.spikes.shape[2]:
        marks.append(
            f"Channels from {trials.heldin} on, below the dashed line, were held out from the "
            "model’s input."
        )
    if trials.encod_steps < trials.spikes.shape[1]:
        marks.append(
            f"Bins from {trials.encod_steps} on, right of the dashed line and shaded below, are a "
            "forecast."
        )
    if len(trials.numbers) > MOST_TRIALS:
        marks.append(f"The first {MOST_TRIALS} of {len(trials.numbers)} trials are shown.")
    key = [
        ("inferred rate", _LINE.format(colour="best", width=2.5, more="")),
        ("spikes", '<path d="M9 1v10M13 1v10M19 1v10" stroke="var(--ink)"/>'),
    ]
    if trials.truth is not None:
        key.insert(1, ("true rate", _LINE.format(colour="copy", width=1.6, more=_DASHES)))
    return _section(
        "Trials",
        "Spikes of validation trials and the rates that the best member infers from them. "
        + " ".join(marks),
        _figure(trial_images(trials), "images", "spikes and rates of all channels")
        + '<p class="caption">The channels whose rates vary most.</p>'
        + _key(key)
        + _figure(trial_traces(trials), "traces", "rates and spikes of a few channels"),
    )


def _notes(summary: Mapping[str, object], notes: Sequence[str]) -> str:
    items = "".join(f"<li>{text(note)}</li>" for note in notes)
    body = f'<ul class="notes">{items}</ul>' if items else '<p class="caption">None.</p>'
    if versions := _versions(summary):
        body += f'<p class="caption">Versions: {text(versions)}.</p>'
    return _section("Notes", "", body)


def _versions(summary: Mapping[str, object]) -> str:
    own = {"autolfads": summary["version"]} if summary.get("version") else {}
    others = summary.get("versions")
    versions = {**own, **others} if isinstance(others, Mapping) else own
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _section(title: str, caption: str, body: str) -> str:
    said = f'<p class="caption">{caption}</p>' if caption else ""
    return f"<section><h2>{title}</h2>{said}{body}</section>"


def _captions(lines: Sequence[str]) -> str:
    return "".join(f'<p class="caption">{line}</p>' for line in lines)


def _key(entries: Sequence[tuple[str, str]]) -> str:
    spans = (
        f'<span><svg viewBox="0 0 26 12" fill="none" aria-hidden="true">{drawn}</svg>{label}</span>'
        for label, drawn in entries
    )
    return f'<p class="key">{"".join(spans)}</p>'


def _figure(figure: Figure, name: str, title: str) -> str:
    return f'<div class="figure">{inline_svg(figure, name, title)}</div>'
