"""YAML that users write, read safely: the manifest (operator) and the configuration (trainer)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from autolfads_trainer.userinput import InputError, is_special

MAX_BYTES = 1_000_000  # a configuration of 1 MB is a mistake or an attack
MAX_VALUES = 100_000
MAX_ALIASES = 100  # aliases multiply: a "YAML bomb" is a small file of many
MAX_DIGITS = 250  # of a whole number: any such number is a finite float, and can be shown


class _Loader(yaml.SafeLoader):
    """YAML as scientists and kubectl read it: `1e-5` is a number, a key given twice is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > MAX_ALIASES:
                raise yaml.YAMLError(f"more than {MAX_ALIASES} aliases (*name)")
        return super().compose_node(parent, index)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        try:
            node.value.encode()
        except UnicodeEncodeError:
            # JSON writes what is beyond 16 bits as two escapes, which belong together.
            halves = node.value.encode("utf-16-le", "surrogatepass")
            try:
                node.value = halves.decode("utf-16-le")
            except UnicodeDecodeError:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: half a surrogate pair is no text") from None
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        # In base 16 and 60 Python has no limit of its own, and makes what it then cannot show.
        if len(node.value) > MAX_DIGITS:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"line {line}: Exceeds the limit of {MAX_DIGITS} digits")
        return super().construct_yaml_int(node)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Looked at here, since later a merge (<<) may have been laid into the mapping itself.
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: a key must be a word")
            if key_node.tag != "tag:yaml.org,2002:merge":
                # `on:` and `1:` stay the words that were written, and are not True and 1.
                key_node.tag = "tag:yaml.org,2002:str"
                if key_node.value in seen:
                    line = key_node.start_mark.line + 1
                    raise yaml.YAMLError(f"line {line}: the key '{key_node.value}' is given twice")
                seen.add(key_node.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_VALUES:
            raise yaml.YAMLError(f"more than {MAX_VALUES} keys once merges (<<) are followed")


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)

# SafeLoader's own float needs a dot and a signed exponent: `1e-5` would be a string.
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, regexp) for tag, regexp in resolvers if not tag.endswith((":float", ":timestamp"))
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
            |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
            |[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?
            |[-+]?\.(?:inf|Inf|INF)
            |\.(?:nan|NaN|NAN))$""",
        re.VERBOSE,
    ),
    list("-+0123456789."),
)


# PyYAML itself stumbles over `!!bool maybe`, `!!int ''`, `!!timestamp x`, `!!float 1:1:1:…`.
_STUMBLES = (
    yaml.YAMLError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    ArithmeticError,
    RecursionError,
)


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Read the YAML mapping in `path`; `what` names it in errors (`manifest`, `configuration`).

    Code is never run, whatever the tags say. Raises `InputError`.
    """
    if is_special(path):
        raise InputError(f"{path}: is no regular file; expected the {what}, a YAML file")
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if 0 < size <= MAX_BYTES else ""
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what} file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; expected the {what}, a YAML file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text; expected the {what}, a YAML file") from None
    except OSError as error:
        raise InputError(f"{path}: the {what} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a name with a null byte in it
        raise InputError(f"{path}: the {what} cannot be read: {error}") from None
    if size > MAX_BYTES:
        raise InputError(f"{path}: the {what} has {size} bytes; at most {MAX_BYTES} are read")
    return parse_yaml(text, str(path), what)


def parse_yaml(text: str, source: str, what: str) -> dict[str, Any]:
    """Read one YAML mapping from `text`; `source` names it in errors. Raises `InputError`."""
    try:
        document = _Loader(text).get_single_data()
    except _STUMBLES as error:
        reason = _yaml_reason(error)
        raise InputError(f"{source}: is not valid YAML: {reason}") from None
    if document is None:
        raise InputError(f"{source}: is empty; expected the {what}, a YAML mapping")
    if not isinstance(document, dict):
        found = type(document).__name__
        raise InputError(f"{source}: holds a {found}; expected the {what}, a YAML mapping")
    if not _is_bounded(document):
        raise InputError(
            f"{source}: holds more than {MAX_VALUES} values once its aliases (*name) are followed"
        )
    return document


def _yaml_reason(error: Exception) -> str:
    """Return what PyYAML found, in one line, without its excerpt."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).split()) or "nested too deeply"
    context = getattr(error, "context", None)
    words = f"{context}: {problem}" if context else str(problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}"


def _is_bounded(document: object) -> bool:
    """Return whether the document stays small when it is walked; one that holds itself does not."""
    left = [document]
    for _ in range(MAX_VALUES):
        if not left:
            return True
        value = left.pop()
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list | tuple):  # `!!pairs` makes tuples
            left.extend(value)
    return False
