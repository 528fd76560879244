"""The page's look: light, dark, and on paper."""

from __future__ import annotations

from pathlib import Path

from autolfads_trainer.results.report.drawing import COLOURS

_DARK = {
    "ink": "#e6eaf0",
    "muted": "#98a3b3",
    "faint": "#525d6d",
    "grid": "#2b323d",
    "best": "#5aa9ff",
    "copy": "#f0a04b",
    "lost": "#ff6b7d",
    "page": "#14181f",
}
_WORDS_LIGHT = {"healthy": "#1c7c43", "overfitted": "#b3261e", "underfitted": "#9a5b00"}
_WORDS_DARK = {"healthy": "#5fcf8e", "overfitted": "#ff8a80", "underfitted": "#f2b35a"}


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


_COLOURS = f"""
:root {{ {_variables(COLOURS | _WORDS_LIGHT)} --unclear: var(--muted); color-scheme: light dark; }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ {_variables(_DARK | _WORDS_DARK)} }}
  image[id*="spikes"] {{ filter: invert(1); }}
}}
"""

CSS = _COLOURS + Path(__file__).with_name("page.css").read_text(encoding="utf-8")
