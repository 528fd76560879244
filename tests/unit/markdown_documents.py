"""The repository's documents, taken apart: headings, links, tables, blocks of code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One document. Rows of tables are tuples of cells, without headers."""

    name: str
    text: str

    @property
    def prose(self) -> str:
        """The text without blocks of code, which may hold brackets and marks of any kind."""
        return _INDENTED.sub("", _FENCE.sub("", self.text))

    def blocks(self, language: str) -> list[str]:
        """Return the fenced blocks in `language`."""
        return [content for found, content in _FENCE.findall(self.text) if found == language]

    def commands(self) -> list[str]:
        """Return the lines of the indented blocks: commands, and whatever else stands there."""
        blocks = _INDENTED.findall(_FENCE.sub("", self.text))
        return [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]

    def inline(self) -> list[str]:
        """Return what stands between backticks."""
        return re.findall(r"`([^`\n]+)`", self.prose)

    def links(self) -> list[str]:
        """Return the targets of links."""
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    def anchors(self) -> set[str]:
        """Return what a link can point to after `#`, by GitHub's rule."""
        titles = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
        return {title.replace(" ", "-") for title in plain}

    def section(self, title: str) -> Document:
        """Return what stands under the heading `title`, up to the next of its rank or above."""
        start = re.search(rf"^(#+) {re.escape(title)}$", self.text, re.MULTILINE)
        assert start, f"{self.name} has no heading '{title}'"
        rank = len(start[1])
        rest = self.text[start.end() :]
        end = re.search(rf"^#{{1,{rank}}} ", _FENCE.sub(_blank, rest), re.MULTILINE)
        return Document(f"{self.name}: {title}", rest[: end.start()] if end else rest)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of all tables."""
        lines = [line for line in self.prose.splitlines() if line.startswith("|")]
        cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
        rules = [i for i, row in enumerate(cells) if set("".join(row)) <= set("-: ")]
        headers = {i - 1 for i in rules if any(cells[i])}
        return [row for i, row in enumerate(cells) if i not in headers and i not in rules]


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])  # a comment in code is no heading


def document(name: str) -> Document:
    """Read the document `name`, a path in the repository."""
    return Document(name, (ROOT / name).read_text(encoding="utf-8"))


def code(cell: str) -> str:
    """Return the one piece of code in a cell."""
    found = re.findall(r"`([^`]+)`", cell)
    assert len(found) == 1, cell
    return str(found[0])
