"""The algorithm imports nothing but a few pure modules of the standard library."""

from __future__ import annotations

import ast
from pathlib import Path

import autolfads_operator.pbt

PURE = {
    "__future__",
    "collections.abc",
    "dataclasses",
    "hashlib",
    "itertools",
    "json",
    "functools",
    "math",
    "typing",
}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


def test_no_file_clock_or_global_randomness_is_within_reach() -> None:
    files = sorted(Path(autolfads_operator.pbt.__file__).parent.glob("*.py"))
    siblings = {f".{path.stem}" for path in files}
    assert len(files) >= 6
    for path in files:
        allowed = PURE | siblings | ({"random"} if path.name == "randomness.py" else set())
        assert _imports(path) <= allowed, path.name
