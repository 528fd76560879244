"""The documents say what the code does: links, commands, examples, tables, snippets."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import h5py
import matplotlib as mpl
import numpy as np
import pytest
from configuration_examples import SIZES, resolved
from markdown_documents import NAMES, ROOT, Document, code, document
from pydantic import BaseModel, BeforeValidator
from recording_files import in_one_part
from report_history import family
from small_models import small_member, small_model

from autolfads_operator import cli
from autolfads_operator.manifest import parse
from autolfads_trainer import records
from autolfads_trainer.config import (
    arguments,
    classes,
    keys,
    manifest,
    search_space,
    sections,
    tunable,
)
from autolfads_trainer.config.defaults import MODEL_SIZES, default_configuration
from autolfads_trainer.records import Run
from autolfads_trainer.results.fitlog import fitlog_text
from autolfads_trainer.results.output_file import write_output_file
from autolfads_trainer.results.sampling import OUTPUTS
from autolfads_trainer.tasks.export import summarise
from autolfads_trainer.training.checkpoint import save_file
from autolfads_trainer.userinput import shown
from autolfads_trainer.yaml_text import parse_yaml

CONFIGURATION = document("docs/configuration.md")
RESULTS = document("docs/results.md")
RUN_DIRECTORY = document("docs/run-directory.md")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
DEFAULTS = default_configuration(SIZES)


@pytest.fixture(params=NAMES)
def written(request: pytest.FixtureRequest) -> Document:
    return document(request.param)


# What documents point to.


def test_links_lead_somewhere(written: Document) -> None:
    for link in written.links():
        path, _, anchor = link.partition("#")
        if path.startswith(("https:", "http:")):
            continue
        target = (ROOT / written.name).parent / path if path else ROOT / written.name
        assert target.exists(), link
        assert target.resolve().is_relative_to(ROOT), link
        if anchor:
            assert anchor in document(str(target.resolve().relative_to(ROOT))).anchors(), link


def test_files_of_the_repository_that_are_named_exist(written: Document) -> None:
    folders = "|".join(
        path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "runs"
    )
    for words in written.inline():
        for name in re.findall(rf"(?<![\w/.-])(?:{folders})/[\w./-]*\w/?", words):
            assert (ROOT / name).exists(), name


def test_targets_of_make_exist(written: Document) -> None:
    for words in [*written.commands(), *written.inline()]:
        for target in re.findall(r"\bmake ([a-z]+)", words):
            assert target in TARGETS, target


def test_the_quick_start_begins_with_the_demo_and_the_tests() -> None:
    assert document("README.md").commands()[:2] == ["make demo", "make test"]


def test_every_target_that_contributors_may_want_is_told() -> None:
    told = {
        code(row[0]).removeprefix("make ") for row in _section("CONTRIBUTING.md", "Set up").rows()
    }
    assert told == TARGETS - {"help"}


# Commands.


def command(name: str) -> click.Command:
    found = cli.commands.get_command(click.Context(cli.commands), name)
    assert found is not None, f"there is no command '{name}'"
    return found


def options_of(name: str) -> set[str]:
    return {option for parameter in command(name).params for option in parameter.opts}


def options_of_program(path: str) -> set[str]:
    """Return the options of a program of ours, as its text names them."""
    texts = [path, "benchmarks/yardstick.py"]  # which has those of all benchmarks
    return {
        option
        for text in texts
        for option in re.findall(r'"(--[a-z-]+)"', (ROOT / text).read_text())
    }


COMMANDS = cli.commands.list_commands(click.Context(cli.commands))
# Options of other programs that the documents name: of our CRD generator.
FOREIGN = {"--docs"}


def test_commands_in_examples_can_be_given(written: Document) -> None:
    for line in written.commands():
        words = shlex.split(line) if line.startswith("autolfads ") else []
        if words:
            command(words[1]).make_context(words[1], words[2:])


def test_commands_and_options_in_sentences_exist(written: Document) -> None:
    options = {"--help"}.union(FOREIGN, *(options_of(name) for name in COMMANDS))
    for words in written.inline():
        if words.startswith("kubectl "):
            continue
        named = re.match(r"autolfads ([a-z-]+)", words)
        program = re.search(r"\b(?:benchmarks|tests)/[\w/]+\.py\b", words)
        known = options_of(named[1]) if named else options
        if program:
            known = options_of_program(program[0])
        assert set(re.findall(r"(?<!\S)--[a-z-]+", words)) <= known, words


def test_the_readme_tells_every_command_with_its_options() -> None:
    rows = _section("README.md", "Commands").rows()
    assert {row[0].split()[1] for row in rows} == set(COMMANDS)
    told = {row[0].split()[1]: set(re.findall(r"`(--[a-z-]+)`", row[1])) for row in rows}
    for name in ("run", "status"):
        assert told[name] == options_of(name) & {o for o in options_of(name) if o[:2] == "--"}


def test_exit_codes_are_those_of_the_program() -> None:
    rows = _section("docs/troubleshooting.md", "Exit codes").rows()
    assert [int(row[0]) for row in rows] == [0, cli.FAILED, cli.WRONG_INPUT, cli.INTERRUPTED]


# Examples in YAML.


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in NAMES:
        for number, block in enumerate(document(name).blocks("yaml")):
            yield f"{name}-{number}", parse_yaml(block, name, "example")


MANIFESTS = [
    pytest.param(one, id=where) for where, one in examples() if one.get("kind") == "AutoLFADSRun"
]


@pytest.mark.parametrize("example", MANIFESTS)
def test_a_manifest_in_the_documents_is_one(example: dict[str, Any]) -> None:
    run = parse(example, "example")
    assert resolved(**run.spec.as_json()).configuration


def test_a_configuration_in_the_documents_is_one() -> None:
    good = [
        one
        for where, one in examples()
        if "kind" not in one and where.startswith(CONFIGURATION.name)
    ]
    assert good
    for one in good:
        if "my_lab" not in str(one):  # see test_classes_of_one_s_own
            assert resolved(config=one).search_space.keys() == one["pbt"]["hps"].keys()


# The tables of the configuration.


def takes(model: type[BaseModel], name: str) -> str:
    validators = model.model_fields[name].metadata
    return str(next(v.func.expected for v in validators if isinstance(v, BeforeValidator)))


def _default(model: type[BaseModel], name: str, values: dict[str, Any]) -> str:
    info = model.model_fields[name]
    value = values.get(
        name, None if info.is_required() else info.get_default(call_default_factory=True)
    )
    return f"`{shown(value)}`"


def _rows_of(
    section: str, model: type[BaseModel], values: dict[str, Any]
) -> dict[str, tuple[str, str]]:
    prefix = f"{section}." if section else ""
    rows = {}
    for name in model.model_fields:
        key = prefix + name
        if key == "pbt.resources_per_trial":
            rows |= _rows_of(key, sections._Resources, values[name])
        elif key == "pbt.hps":
            rows[key] = ("a mapping or null", "the usual seven")
        elif section == "model" and name in MODEL_SIZES:
            rows[key] = (takes(model, name), "from the data")
        elif key == "datamodule.batch_size":
            rows[key] = (takes(model, name), "256, or all training trials if fewer")
        else:
            rows[key] = (takes(model, name), _default(model, name, values))
    return rows


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("seed", sections.SeedSection),
        ("model", sections.ModelSection),
        ("datamodule", sections.DatamoduleSection),
        ("pbt", sections.PbtSection),
        ("trainer", sections.TrainerSection),
        ("posterior_sampling", sections.PosteriorSamplingSection),
    ],
)
def test_the_table_of_a_section_is_the_code_s(name: str, model: type[BaseModel]) -> None:
    expected = (
        _rows_of("", model, DEFAULTS) if name == "seed" else _rows_of(name, model, DEFAULTS[name])
    )
    rows = CONFIGURATION.section(f"`{name}`").rows()
    assert {code(row[0]): row[1:3] for row in rows} == expected
    assert all(row[3] for row in rows)


def test_the_defaults_in_words_are_true() -> None:
    assert len(DEFAULTS["pbt"]["hps"]) == 7  # "the usual seven"
    many = default_configuration(SIZES.__class__(**{**vars(SIZES), "train_trials": 9999}))
    assert many["datamodule"]["batch_size"] == 256
    assert DEFAULTS["datamodule"]["batch_size"] == SIZES.train_trials


PARTS = {
    "readin.0": arguments.Readin,
    "readout.modules.0": arguments.Readout,
    "reconstruction.0": arguments.ZeroInflatedGamma,
    "train_aug_stack.transforms.0": arguments.CoordinatedDropout,
    "ic_prior": arguments.Normal,
    "co_prior": arguments.Autoregressive,
}


NOT_OF_THE_DEFAULTS = ("readin.0", "readout.modules.0", "reconstruction.0")


def test_the_table_of_the_model_s_parts_is_the_code_s() -> None:
    rows = CONFIGURATION.section("Parts of `model`").rows()
    told = {row[0].strip("`"): row[1:3] for row in rows if len(row) == 4}
    expected = {}
    for where, model in PARTS.items():
        value: Any = DEFAULTS["model"]
        for step in where.split("."):
            value = value[int(step) if step.isdecimal() else step]
        values = {} if where in NOT_OF_THE_DEFAULTS else value
        for name, info in model.model_fields.items():
            default = _default(model, name, values)
            missing = info.is_required() and name not in values
            expected[f"model.{where}.{name}"] = (
                takes(model, name),
                "required" if missing else default,
            )
    assert {
        key: row for key, row in told.items() if "_stack." not in key or ".0." in key
    } == expected


def test_the_table_of_classes_is_the_code_s() -> None:
    rows = CONFIGURATION.section("Parts of `model`").rows()
    told = [code(row[1]) for row in rows if len(row) == 2]
    assert told == [name for names in classes._ROLES.values() for name in names]


def test_keys_that_are_ignored_are_told() -> None:
    told = CONFIGURATION.section("Ignored keys").inline()
    assert told == [*keys.IGNORED, *keys.IGNORED_WITHIN]


def test_sections_of_the_configuration_all_have_a_table() -> None:
    titles = set(re.findall(r"^### `(\w+)`$", CONFIGURATION.text, re.MULTILINE))
    assert titles == {"seed", *keys.USED}


def test_the_manifest_s_own_fields_are_told_with_their_keys() -> None:
    rows = CONFIGURATION.section("Layers").rows()
    told = {code(row[0]): code(row[1]) for row in rows}
    assert told == {
        ".".join(("spec", *field)): ".".join(key) for field, key in manifest.SPEC_FIELDS.items()
    }


def test_the_tables_of_the_search_space_are_the_code_s() -> None:
    rows = CONFIGURATION.section("The search space").rows()
    entries = [row for row in rows if "`hp/" not in row[3]]
    pairs = zip(
        search_space._FileEntry.model_fields, search_space._SpecEntry.model_fields, strict=True
    )
    assert [(code(row[0]), code(row[1])) for row in entries] == list(pairs)
    for row in entries:
        name = code(row[0])
        info = search_space._FileEntry.model_fields[name]
        default = "required" if info.is_required() else f"`{_word(info.default)}`"
        assert row[2:4] == (takes(search_space._FileEntry, name), default), name
    settings = [row for row in rows if "`hp/" in row[3]]
    assert settings == [_setting(setting) for setting in tunable.SETTINGS]


def _word(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _setting(setting: tunable.Setting) -> tuple[str, ...]:
    path = setting.path.replace("<i>", "0")
    entry = DEFAULTS["pbt"]["hps"].get(path)
    default = "not tuned"
    if entry:
        default = f"{shown(entry['min_samp'])} to {shown(entry['max_samp'])}"
        default += f", {entry.get('sample_fn', 'loguniform')}"
        default += f", init {shown(entry['init'])}" if "init" in entry else ""
        default += f", weight {shown(entry['explore_wt'])}"
        default += ", limits" if entry["enforce_limits"] else ""
    allowed = f"a number {setting.allowed}"
    return f"`{path}`", allowed, default, f"`hp/{setting.name}`", setting.of or "–"


# The run directory.


RECORDS = {
    name: kind
    for name, kind in vars(records).items()
    if inspect.isclass(kind) and issubclass(kind, records.Record) and kind is not records.Record
}


def test_every_field_of_every_record_is_told() -> None:
    told: dict[str, list[str]] = {}
    for line in RUN_DIRECTORY.section("The records").text.splitlines():
        if title := re.match(r"`(\w+)`(?:, the field|:)", line):
            told[title[1]] = []
        elif line.startswith("| `"):
            told[[*told][-1]] += re.findall(r"`(\w+)`", line.split("|")[1])
    fields = {
        name: [info.alias for info in kind.model_fields.values()] for name, kind in RECORDS.items()
    }
    assert {name: sorted(names) for name, names in told.items()} == {
        name: sorted(str(alias) for alias in names) for name, names in fields.items()
    }


# Results.


def test_the_datasets_of_the_rates_are_told() -> None:
    told = re.findall(
        r"`\{split\}_(\w+)`",
        " ".join(row[0] for row in _section(RESULTS.name, "Rates: `lfads_output_sess0.h5`").rows()),
    )
    assert sorted(told) == sorted(OUTPUTS)


def test_the_columns_of_the_fit_log_are_told() -> None:
    member = small_member(epochs=1)
    member.train(lambda _: False)
    columns = {"worker_id", *member.progress.rows[0]}
    told = set()
    for row in _section(RESULTS.name, "The fit log: `fitlog.csv`").rows():
        for name in re.findall(r"`([^`]+)`", row[0]):
            told |= {name.replace("{split}", split) for split in ("train", "valid")}
    assert told == columns


def test_the_keys_of_the_summary_are_told() -> None:
    run = Run(
        name="one", seed=0, population=3, search_space={}, configuration={},
        pbt=records.Pbt(metric="valid/recon_smth", burn_in_epochs=1, generation_epochs=1,
                        max_epochs=1, patience=1, min_improvement_ratio=0),
        data=records.Data(path="x.h5", sha256="", session="x"),
        further_data=(records.Data(path="y.h5", sha256="", session="y"),),
    )  # fmt: skip
    scores = dict.fromkeys(("bps", "co_bps", "fp_bps", "r2"), 0.0)
    summary = summarise(run, family(), [{"train": scores, "valid": scores}] * 2, 1.0)
    rows = _section(RESULTS.name, "The run in numbers: `summary.json`").rows()
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == set(summary)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small results of all kinds, in the folder that the snippets read."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "fitlog.csv").write_text(fitlog_text(family()))
    model = small_model()
    save_file(
        folder / "model.ckpt",
        {"configuration": {"model": model.configuration}, "state_dict": model.state_dict()},
    )
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["valid_recon_data"] = np.ones((2, 8, 5))
    outputs = {"valid": {"output_params": np.ones((2, 8, 5), np.float32)}}
    write_output_file(tmp_path / "data.h5", folder / "lfads_output_sess0.h5", in_one_part(outputs))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_snippets_run_on_results(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    snippets = RESULTS.blocks("python")
    assert len(snippets) == 3
    names: dict[str, Any] = {}
    with mpl.rc_context():
        mpl.use("Agg")
        for snippet in snippets:
            exec(compile(snippet, RESULTS.name, "exec"), names)
    assert "50.0 Hz" in capsys.readouterr().out
    assert (results / "curves.png").stat().st_size > 1000
    lines = names["left"].get_lines()
    assert [line.get_label() for line in lines] == [f"member {member}" for member in (0, 1, 2)]
    assert all(len(line.get_xdata()) == 30 for line in lines)
    assert names["rates"].shape == (5, 8, 5)


# Nothing of the machine that they were written on.


def test_no_document_names_a_place_outside_of_the_repository(written: Document) -> None:
    """Neither an absolute path nor a way up; a link up within the repository is resolved above."""
    assert not re.findall(r"(?<![\w/.:}])/(?:\w[\w.-]*)/[\w./-]*", written.text)
    ways_up = re.findall(r"(?:\.\./)+[\w.-]*", written.text)
    assert all((ROOT / written.name).parent.joinpath(way).exists() for way in ways_up)


def _section(name: str, title: str) -> Document:
    return document(name).section(title)
