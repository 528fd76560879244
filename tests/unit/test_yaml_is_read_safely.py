"""Manifests and configurations from strangers: no code is run, numbers are what was meant."""

from __future__ import annotations

import contextlib
import datetime
import errno
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from autolfads_trainer import yaml_text
from autolfads_trainer.userinput import InputError, nearest, shown
from autolfads_trainer.yaml_text import MAX_ALIASES, MAX_BYTES, MAX_VALUES, parse_yaml, read_yaml


def parsed(text: str) -> dict[str, Any]:
    return parse_yaml(text, "run.yaml", "manifest")


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parsed(text)
    message = str(caught.value)
    assert message.startswith("run.yaml: ")
    assert "\n" not in message
    return message.removeprefix("run.yaml: ")


def file_refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_yaml(path, "manifest")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:pathlib.Path.touch [{}]",
        "!!python/object/new:pathlib.Path [{}]",
        "!!python/object:pathlib.Path {{a: {}}}",
        "!!python/name:os.system ''",
        "!!python/module:antigravity ''",
        "!!python/tuple [1, 2]",
        "!pathlib.Path {}",
        "!include {}",
    ],
)
@pytest.mark.parametrize("place", ["a: {}", "a: [{}]", "{}", "a: {{b: {{c: {}}}}}"])
def test_no_tag_runs_code_wherever_it_stands(tag, place, tmp_path):
    trace = tmp_path / "trace"

    message = refusal(place.format(tag.format(trace)))

    assert message.startswith("is not valid YAML: ")
    assert tag.format(trace).split()[0].removeprefix("!!") in message
    assert not trace.exists()


@pytest.mark.parametrize("tag", ["!!python/name:os.system", "!!python/object/apply:os.system"])
def test_no_tag_of_a_key_runs_code(tag, tmp_path):
    with contextlib.suppress(InputError):  # refused, or the word that it would be without a tag
        assert parsed(f"? {tag} touch\n: 1") == {"touch": 1}
    assert refusal(f"? {tag} [touch {tmp_path}/trace]\n: 1").endswith("a key must be a word")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-5", 1e-5),
        ("1E-5", 1e-5),
        ("1.0e-5", 1e-5),
        ("1.e-5", 1e-5),
        (".5e1", 5.0),
        ("1e5", 1e5),
        ("1e+5", 1e5),
        ("-4e-3", -4e-3),
        ("+4e-3", 4e-3),
        ("0.00001", 1e-5),
        ("1_000.5", 1000.5),
        ("1_0e-3", 0.01),
        (".5", 0.5),
        ("-.5", -0.5),
        ("5.", 5.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("1_000", 1000),
        ("-3", -3),
        ("0", 0),
        ("0x10", 16),
    ],
)
def test_numbers_are_read_as_scientists_write_them(text, number):
    found = parsed(f"a: {text}")["a"]

    assert found == number
    assert type(found) is type(number)


def test_a_number_that_is_none_is_read_as_such():
    assert math.isnan(parsed("a: .nan")["a"])


@given(st.floats(allow_nan=False))
def test_every_float_comes_back(number):
    for text in (repr(number), f"{number:.17e}"):
        if math.isfinite(number):
            assert parsed(f"a: {text}")["a"] == number


@pytest.mark.parametrize(
    "text", ["e-5", "1e", "1e-", "e5", "1.5.2", "v1e-5", "1e5x", "lorenz.h5", "2026-01-31", "._"]
)
def test_words_stay_words(text):
    assert parsed(f"a: {text}") == {"a": text}


def test_dates_are_not_made_of_words():
    assert not isinstance(parsed("name: 2026-01-31")["name"], datetime.date)


@pytest.mark.parametrize(
    "key", ["on", "off", "yes", "1", "1e-5", "null", "~", "true", "2026-01-31"]
)
def test_keys_stay_the_words_that_were_written(key):
    assert parsed(f"{key}: 7") == {key: 7}


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("a: 1\nb: 2\na: 3", 3, "a"),
        ("spec:\n  seed: 1\n  seed: 1", 3, "seed"),
        ("a: {b: 1, b: 2}", 1, "b"),
        ("a:\n- b: 1\n  'b': 2", 3, "b"),
        ("1: a\n'1': b", 2, "1"),
    ],
)
def test_a_key_given_twice_is_an_error_and_not_the_last_one(text, line, key):
    assert refusal(text) == f"is not valid YAML: line {line}: the key '{key}' is given twice"


def test_a_merged_key_may_be_given_again_and_wins():
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: *b, x: 4}"

    assert parsed(text)["c"] == {"x": 4, "y": 3}


@pytest.mark.parametrize("key", ["[a]", "{a: 1}", "[[a], b]"])
def test_a_key_must_be_a_word(key):
    assert refusal(f"a: 1\n? {key}\n: 2") == "is not valid YAML: line 2: a key must be a word"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1, 2", "while parsing a flow sequence"),
        ("a: 'b", "while scanning a quoted scalar"),
        ("a: b: c", "mapping values are not allowed here"),
        ("a:\n\t- b", "while scanning for the next token"),
        ("a: 1\n--- \nb: 2", "expected a single document"),
        ("a: *b", "found undefined alias 'b'"),
        ("a: !!int five", "invalid literal for int()"),
        ("a: " + "1" * 5000, "Exceeds the limit"),
        ("a: %", "while scanning for the next token"),
        ("<<: 3", "while constructing a mapping"),
    ],
)
def test_what_is_no_yaml_is_told_in_one_line(text, reason):
    assert refusal(text).startswith("is not valid YAML: ")
    assert f": {reason}" in refusal(text)
    assert "\n" not in refusal(text)


@pytest.mark.parametrize(
    ("text", "found"), [("- a", "list"), ("lorenz", "str"), ("7", "int"), ("1e-5", "float")]
)
def test_a_document_must_be_a_mapping(text, found):
    assert refusal(text) == f"holds a {found}; expected the manifest, a YAML mapping"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a remark", "---", "null"])
def test_an_empty_document_is_told(text):
    assert refusal(text) == "is empty; expected the manifest, a YAML mapping"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_document_that_is_nested_too_deeply_is_told(opening):
    assert refusal("a: 1\nb:\n  " + opening * 3_000).startswith("is not valid YAML: ")


def test_an_alias_means_what_it_names():
    assert parsed("a: &a [1, {b: 2}]\nc: *a\nd: [*a]") == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": [[1, {"b": 2}]],
    }


def test_so_many_aliases_are_allowed_and_not_one_more():
    text = "a: &a 1\nb: [" + ", ".join(["*a"] * MAX_ALIASES)

    assert parsed(f"{text}]")["b"] == [1] * MAX_ALIASES
    assert refusal(f"{text}, *a]") == f"is not valid YAML: more than {MAX_ALIASES} aliases (*name)"


@pytest.mark.parametrize(
    ("first", "level"), [("[x, x]", "[*a{0}, *a{0}]"), ("{x: 1}", "{{x: *a{0}, y: *a{0}}}")]
)
def test_a_small_file_that_stands_for_a_huge_one_is_refused(first, level):
    bomb = [f"a0: &a0 {first}"]
    bomb += [f"a{number + 1}: &a{number + 1} {level.format(number)}" for number in range(45)]

    assert refusal("\n".join(bomb)) == (
        f"holds more than {MAX_VALUES} values once its aliases (*name) are followed"
    )


@pytest.mark.parametrize("text", ["a: &a {b: *a}", "a: &a [*a]", "&a a: {b: &b {c: *b}}"])
def test_a_document_that_holds_itself_is_refused(text):
    assert refusal(text).startswith(f"holds more than {MAX_VALUES} values")


def test_a_file_is_read_as_utf_8(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes("﻿metadata: {name: Großhirn–σ}".encode())

    assert read_yaml(path, "manifest") == {"metadata": {"name": "Großhirn–σ"}}


def test_errors_of_a_file_name_it(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("- a")

    assert file_refusal(path) == "holds a list; expected the manifest, a YAML mapping"


def test_files_that_cannot_be_read_are_told(tmp_path):
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"name: Gro\xdfhirn")

    assert file_refusal(tmp_path / "run.yaml") == "no such manifest file"
    assert file_refusal(tmp_path) == "is a folder; expected the manifest, a YAML file"
    assert file_refusal(latin) == "is not text; expected the manifest, a YAML file"
    assert file_refusal(latin / "run.yaml").startswith("the manifest cannot be read: Not a dir")


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    path = tmp_path / "run.yaml"
    path.write_text("a: 1")

    def denied(*_, **__):  # file modes do not stop root, who runs tests in containers
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)

    assert file_refusal(path) == "the manifest cannot be read: Permission denied"


def test_so_many_bytes_are_read_and_not_one_more(tmp_path, monkeypatch):
    assert MAX_BYTES == 1_000_000
    monkeypatch.setattr(yaml_text, "MAX_BYTES", 3_000)  # a whole megabyte takes seconds to read
    path = tmp_path / "run.yaml"
    path.write_text("a: 1\n#".ljust(3_000, "x"))
    assert read_yaml(path, "manifest") == {"a": 1}

    path.write_text("a: 1\n#".ljust(3_001, "x"))
    assert file_refusal(path) == "the manifest has 3001 bytes; at most 3000 are read"


WORDS = st.text("abcdefghij_", min_size=1, max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
def test_what_another_program_writes_is_read_as_it_was_meant(document):
    assert parsed(yaml.safe_dump(document)) == document


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("poplation", ["population", "seed"], " (did you mean 'population'?)"),
        ("max_epochs", ["maxEpochs", "patience"], " (did you mean 'maxEpochs'?)"),
        ("xyz", ["population", "seed"], ""),
        ("seed", [], ""),
    ],
)
def test_the_nearest_known_word_is_offered(word, known, found):
    assert nearest(word, known) == found
    assert nearest(word, iter(known)) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (1e-5, "1e-05"),
        (0.25, "0.25"),
        (3, "3"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("word", "'word'"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_a_value_is_shown_as_users_write_it(value, text):
    assert shown(value) == text


def test_a_long_value_is_shown_shortened():
    assert shown("x" * 78) == repr("x" * 78)
    assert shown("x" * 79) == "'" + "x" * 76 + "..."
    assert len(shown(list(range(1000)))) == 80
