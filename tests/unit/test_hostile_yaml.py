"""Manifests and configurations made to do harm: a result, or one error that names the file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from configuration_examples import EVERY_KEY, SIZES
from hostile_files import check_sentence, one_sentence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autolfads_operator.manifest import read_manifest
from autolfads_trainer.config.resolve import resolve
from autolfads_trainer.userinput import MAX_MESSAGE, InputError, nearest, shown
from autolfads_trainer.yaml_text import MAX_DIGITS, parse_yaml, read_yaml

MANIFEST = """\
apiVersion: autolfads.io/v1alpha1
kind: AutoLFADSRun
metadata: {name: lorenz}
spec:
  data: {path: lorenz.h5}
  population: 4
  config: {model: {gen_dim: 20}}
  pbt: {searchSpace: {model.lr_init: {min: 1e-5, max: 5e-3}}}
"""
EXAMPLES = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "run.yaml", "manifest")
    check_sentence(caught.value, Path("run.yaml"))
    return str(caught.value).removeprefix("run.yaml: ")


def read_all(folder: Path, text: str) -> None:
    """Read `text` as a manifest, as a configuration file and as an inline configuration."""
    path = folder / "run.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    for read in (
        read_manifest,
        lambda path: resolve({}, config_file=path, sizes=SIZES),
        lambda path: resolve({"config": read_yaml(path, "x")}, config_file=None, sizes=SIZES),
    ):
        try:
            read(path)
        except InputError as error:
            assert len(str(error)) <= MAX_MESSAGE
            assert str(error).encode()


@pytest.mark.parametrize("digits", ["0x{}", "0b{}", "0{}", "{}", "-{}", "!!int '{}'"])
def test_a_whole_number_has_an_end(digits):
    for count in (MAX_DIGITS + 1, 5_000, 200_000):
        message = refusal(f"a: 1\nb: {digits.format('1' * count)}\n")
        assert message == (f"is not valid YAML: line 2: Exceeds the limit of {MAX_DIGITS} digits")


@pytest.mark.parametrize("digits", ["0x{}", "{}", "-{}"])
def test_a_whole_number_that_is_read_can_be_shown_and_is_a_finite_float(digits):
    text = digits.format("7" * (MAX_DIGITS - 2))

    number = parse_yaml(f"a: {text}", "run.yaml", "manifest")["a"]

    assert isinstance(number, int)
    assert abs(float(number)) > 1e200
    assert shown(number)


def test_sixties_that_multiply_are_told():
    assert "Exceeds the limit" in refusal("a: 1" + ":59" * 300)
    assert "int too large" in refusal("a: !!float 1" + ":59" * 400 + ".5")


@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udc00x"', r'"\ude00\ud83d"'])
@pytest.mark.parametrize("place", ["a: {}", "{}: 1", "a: [&b {}]", "a: !!binary {}"])
def test_half_a_surrogate_pair_is_no_text(text, place):
    assert refusal(place.format(text)) == (
        "is not valid YAML: line 1: half a surrogate pair is no text"
    )


def test_both_halves_are_one_letter_as_in_json():
    found = parse_yaml(r'{"a\ud83d\ude00": "\ud83d\ude00"}', "run.yaml", "manifest")

    assert found == {"a\N{GRINNING FACE}": "\N{GRINNING FACE}"}


@pytest.mark.parametrize("code", ["\\e[2J", "\\r", "\\0", "\\b", "\\x9b", "\\u2028", "\\a"])
def test_what_a_terminal_would_obey_is_shown(code, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(MANIFEST + f'  "od{code}d": 1\n')

    message = one_sentence(path, read_manifest)

    assert "unknown key" in message
    assert "\\" in message


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_would_be_waited_for_is_not_opened(kind, tmp_path):
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "run.yaml"
        os.mkfifo(path)

    for read in (read_manifest, lambda path: resolve({}, config_file=path, sizes=SIZES)):
        assert one_sentence(path, read).startswith("is no regular file; expected the ")


def test_a_name_that_no_file_can_have():
    with pytest.raises(InputError, match=r"^a\\x00b: the manifest cannot be read: embedded null"):
        read_yaml(Path("a\0b"), "manifest")


def test_an_error_has_an_end_and_can_be_sent_on():
    error = InputError("x" * 10**6 + "\udcff")

    assert len(str(error)) == MAX_MESSAGE
    assert str(InputError("a\udcff\x1b\nb")) == "a\\udcff\\x1b\nb"


def test_likeness_is_not_looked_for_in_what_is_too_long():
    assert nearest("a" * 10**6, ["a" * 10**6]) == ""
    assert nearest("population", ["populatio" * 10**5, "populatio"]) != ""
    assert nearest("seed", (f"seed{number}" for number in range(10**9))) != ""


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * 100_000,
        "x" * 100_000 + ": 1",
        "a: '" + "\\" * 100_000,
        "a: |\n" + " x\n" * 25_000,
        "[" * 100_000,
        "a:\n" + "".join(" " * depth + "b:\n" for depth in range(1, 900)),
        "&a " * 1000 + "x: 1",
        "a: " + "!" * 100_000,
        "%TAG ! " + "x" * 100_000,
        "? " * 50_000,
        "- " * 50_000,
        "a: {" + ",".join(f"k{number}: 1" for number in range(2_000)) + "}",
        "{a: " + "9" * 100_000 + "e",
        "a: " + "1_" * 100_000,
        "a: " + "1:" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_huge_and_deep_documents(text, tmp_path):
    read_all(tmp_path, text)


WORDS = st.sampled_from(
    [
        *("spec", "metadata", "name", "data", "path", "config", "model", "pbt", "seed", "workers"),
        *(
            "kind",
            "population",
            "trainer",
            "hps",
            "_target_",
            "datamodule",
            "readout",
            "<<",
            "=",
            "",
        ),
        *(
            "searchSpace",
            "model.lr_init",
            "min",
            "max",
            "init",
            "${model.gen_dim}",
            "${",
            "a\n",
            "~",
        ),
    ]
)
SCALARS = st.one_of(
    WORDS,
    st.sampled_from(["&a", "*a", "!!set", "!!omap", "!!pairs", "!!binary aGk=", "!!float 1e999"]),
    st.sampled_from([".inf", ".nan", "1e400", "-0", "0x1F", "1:30", "2026-01-31", "null", "true"]),
    st.sampled_from(["1" * 249, "'" + "1" * 300 + "'", "[]", "{}", "[[[]]]", "{a: {b: {c: 1}}}"]),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
)
FLOW = st.recursive(
    SCALARS.map(str),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda all_: f"[{', '.join(all_)}]")
        | st.dictionaries(WORDS, inner, max_size=4).map(
            lambda all_: "{" + ", ".join(f"{key}: {value}" for key, value in all_.items()) + "}"
        )
    ),
    max_leaves=12,
)


@settings(EXAMPLES, max_examples=100)
@given(key=WORDS, value=FLOW, tail=st.sampled_from(["", MANIFEST]))
def test_of_whatever_a_document_is_built(key, value, tail, tmp_path):
    read_all(tmp_path, f"{tail}{key}: {value}\n")


@settings(EXAMPLES, max_examples=80)
@given(
    whole=st.sampled_from([MANIFEST, MANIFEST, EVERY_KEY]),
    changes=st.lists(st.tuples(st.integers(0, 4000), FLOW), min_size=1, max_size=3),
)
def test_with_some_of_a_good_document_replaced(whole, changes, tmp_path):
    for place, text in changes:
        at = place % len(whole)
        end = whole.find("\n", at)
        whole = whole[:at] + text + whole[end if place % 2 else at + 1 :]

    read_all(tmp_path, whole)


@settings(EXAMPLES, max_examples=100)
@given(st.binary(max_size=60))
def test_of_any_bytes(tmp_path, content):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert isinstance(read_yaml(path, "manifest"), dict)


@pytest.mark.parametrize("at", ["spec.config.model.gen_dim", "spec.population", "spec.seed"])
@pytest.mark.parametrize("value", ["7" * 250, "0x" + "f" * 248, "-" + "7" * 249, "1e308", ".inf"])
def test_numbers_beyond_all_measure(at, value, tmp_path):
    *path, last = at.split(".")
    text = last + ": " + value
    for name in reversed(path[1:]):
        text = f"{name}: {{{text}}}"
    head = MANIFEST.split("  population", maxsplit=1)[0]
    read_all(tmp_path, f"{head}  {text}\n")
    read_all(tmp_path, f"{{model: {{gen_dim: {value}, lr_init: {value}}}, seed: {value}}}")
