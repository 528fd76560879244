"""A run's story in words, for reading in a terminal. Pure: from the story to lines."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from autolfads_operator.replay.story import Chapter, Incident, Part, Story

IN_FULL = 20  # generations; beyond that each is one line
GLUE = "\N{OPEN BOX}"  # printable, and a space in the end: what it joins stays in one line
WORDS = {"failed": "failed", "saved": "left early", "abandoned": "was given up"}


def lines_of(
    story: Story,
    *,
    width: int = 80,
    generation: int | None = None,
    member: int | None = None,
    everything: bool = False,
) -> Iterator[str]:
    """Yield the lines of a story, at most `width` wide where words allow.

    Args:
        story: what to tell.
        width: of the terminal, in characters.
        generation: tell of this one alone, in full.
        member: tell of this one alone.
        everything: all generations in full, however many there are.
    """
    chapters = [c for c in story.chapters if generation in (None, c.generation)]
    if generation is None:
        yield from _opening(story, width)
    for chapter in chapters:
        full = everything or generation is not None or chapter.generation <= IN_FULL
        if member is not None:
            if generation is None:
                yield ""
            yield from _of_member(story, chapter, member, width)
        elif full:
            if generation is None:
                yield ""
            yield from _in_full(story, chapter, width)
        else:
            if chapter.generation == IN_FULL + 1:
                yield ""
            yield from _wrapped(_in_short(chapter), width, 2)
    if generation is None:
        yield ""
        yield from _ending(story, width)


def printable(text: str) -> str:
    """Return `text` without what a terminal would obey: reasons quote what strangers wrote."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def _wrapped(text: str, width: int, indent: int, more: int = 2) -> Iterator[str]:
    lines = textwrap.wrap(
        printable(text).replace(GLUE, "\N{NO-BREAK SPACE}"),
        max(width, 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + more),
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (line.replace("\N{NO-BREAK SPACE}", " ") for line in lines)


# How it began.
def _opening(story: Story, width: int) -> Iterator[str]:
    run = story.run
    if run is None:
        yield f"{story.name}: {'not prepared yet' if story.end is None else 'no run.json any more'}"
    else:
        members = f"{run.population} member{'s' * (run.population != 1)}"
        epochs = f"at most {run.pbt.max_epochs} epochs each, in {story.last_generation} generations"
        yield from _wrapped(
            f"{story.name}: {members}, seed {run.seed}, {run.pbt.mode}; {epochs}", width, 0
        )
        for one in run.sessions:
            yield from _wrapped(f"data: {one.path} (sha256 {one.sha256[:12]})", width, 2)
    hashes = [f"asked for: {story.spec_hash[:12]}"] if story.spec_hash else []
    hashes += [f"configuration file: {story.config_hash[:12]}"] if story.config_hash else []
    if hashes:
        yield from _wrapped(f"{', '.join(hashes)} (sha256)", width, 2)
    if run is not None:
        yield from _wrapped(f"scores: {run.pbt.metric}, lower is better", width, 2)
    for incident in story.prepare:
        yield from _wrapped(_incident("preparing the data", incident), width, 2)


# What came in between.
def _in_full(story: Story, chapter: Chapter, width: int) -> Iterator[str]:
    yield from _wrapped(_heading(story, chapter), width, 0)
    names = _short_names(chapter.parts)
    if chapter.generation == 1:
        yield from _wrapped("all members start with new weights", width, 2)
    copies = [part for part in chapter.parts if part.copied]
    for part in copies:
        yield from _wrapped(_started(part), width, 2)
        yield from _wrapped(_moves(part, names), width, 6, 0)
    alone = [part.member for part in chapter.parts if part.parent is not None and not part.copied]
    if alone:
        yield from _wrapped(f"{_members(alone)} went on unchanged", width, 2)
    for part in chapter.parts:
        yield from _happened(part, width, 2)
    waiting = [part.member for part in chapter.parts if part.state == "open"]
    if waiting and len(waiting) < len(chapter.parts):
        yield from _wrapped(f"{_members(waiting)}: not at the end yet", width, 2)


def _heading(story: Story, chapter: Chapter) -> str:
    first, last = chapter.first_epoch, chapter.last_epoch
    epochs = f"epochs {first} to {last}" if last > first else f"epoch {first}"
    text = f"generation {chapter.generation} of {story.last_generation}, {epochs}: "
    if chapter.best_score is None:
        over = all(part.state == "lost" for part in chapter.parts)
        return text + ("all members lost" if over else "no score yet")
    return f"{text}best {_score(chapter)}{', the best so far' if chapter.record else ''}"


def _score(chapter: Chapter) -> str:
    return f"{chapter.best_score:.4f} (member {chapter.best_member})"


def _in_short(chapter: Chapter) -> str:
    parts = chapter.parts
    text = f"generation {chapter.generation}: "
    text += f"best {_score(chapter)}" if chapter.best_score is not None else "no score"
    text += ", the best so far" if chapter.record else ""
    copies = sum(part.copied for part in parts)
    counts = [f"{copies} cop{'y' if copies == 1 else 'ies'}"] if copies else []
    lost = sum(part.state == "lost" for part in parts)
    counts += [f"{lost} lost"] if lost else []
    happened: Counter[str] = Counter(incident.what for part in parts for incident in part.incidents)
    words = {**WORDS, "abandoned": "given up", "again": "made again"}
    counts += [f"{happened[what]} {word}" for what, word in words.items() if happened[what]]
    return text + (f"; {', '.join(counts)}" if counts else "")


def _of_member(story: Story, chapter: Chapter, member: int, width: int) -> Iterator[str]:
    part = next((part for part in chapter.parts if part.member == member), None)
    if part is None:
        return
    end = {"lost": "lost", "open": "not at the end yet"}.get(part.state)
    end = end or f"score {part.score:.4f}"
    best = ", the best of its generation" if chapter.best_member == member else ""
    text = f"generation {chapter.generation} of {story.last_generation}, member {member}: {end}"
    yield from _wrapped(text + best, width, 0)
    yield from _wrapped(_started(part), width, 2)
    if part.copied:
        yield from _wrapped(_moves(part, _short_names(chapter.parts)), width, 6, 0)
    yield from _happened(part, width, 2)


def _started(part: Part) -> str:
    if part.parent is None:
        return f"member {part.member} started with new weights"
    why = part.why
    for sign in "<>=":  # scores that are compared stay in one line
        why = why.replace(f" {sign} ", f"{GLUE}{sign}{GLUE}")
    if not part.copied:
        return f"member {part.member} went on unchanged: {why}"
    return f"member {part.member} became a copy of member {part.parent[0]}: {why}"


def _moves(part: Part, names: dict[str, str]) -> str:
    moved = (f"{names[path]} {old:.3g} → {new:.3g}" for path, (old, new) in part.moved.items())
    # A value and its arrow stay in one line.
    return ",  ".join(text.replace(" ", GLUE) for text in moved) or "as they were"


def _short_names(parts: Sequence[Part]) -> dict[str, str]:
    """Return the last words of paths, as many as tell them apart."""
    paths = {path for part in parts for path in part.moved}
    found = {}
    for path in paths:
        words = path.split(".")
        ends = [".".join(words[-count:]) for count in range(1, len(words) + 1)]
        others = [f".{other}" for other in paths if other != path]
        found[path] = next(
            (end for end in ends if not any(o.endswith(f".{end}") for o in others)), path
        )
    return found


def _happened(part: Part, width: int, indent: int) -> Iterator[str]:
    who = f"member {part.member}"
    for incident in part.incidents:
        yield from _wrapped(_incident(who, incident), width, indent)
    if part.state == "lost":
        reason = f": {part.reason}" if part.reason else ""
        yield from _wrapped(f"{who} is lost{reason}", width, indent)


def _incident(who: str, incident: Incident) -> str:
    attempt = f"{who}, attempt {incident.number}"
    if incident.damaged is not None:
        return f"{attempt} found its start damaged: {incident.reason or incident.damaged}"
    if incident.what == "again":
        return f"{attempt} made its end again, since the one before was damaged"
    reason = f": {incident.reason}" if incident.reason else ""
    kept = f"; kept up to epoch {incident.epoch}" if incident.epoch else ""
    return f"{attempt} {WORDS[incident.what]}{reason}{kept}"


def _members(numbers: Sequence[int]) -> str:
    """Return `members 0 to 3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    words = [
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(str(number) for number in run)
        for run in runs
    ]
    return f"member{'s' * (len(numbers) != 1)} {', '.join(words)}"


# How it ended.
def _ending(story: Story, width: int) -> Iterator[str]:
    for incident in story.export:
        yield from _wrapped(_incident("writing the results", incident), width, 0)
    end = story.end
    if end is None:
        yield "the run is not over"
        return
    yield from _wrapped(f"the run {end.state}: {end.reason}", width, 0)
    if end.best is not None and end.score is not None:
        member, generation = end.best
        yield f"the best: member {member} of generation {generation}, score {end.score:.4f}"
