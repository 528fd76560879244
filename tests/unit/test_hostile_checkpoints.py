"""Checkpoints made to do harm, or damaged: what was saved, or one error that names the file."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile_archives import add_overlapping_parts, rebuilt
from hostile_files import check_sentence, one_sentence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import same

from autolfads_trainer.training import checkpoint
from autolfads_trainer.training.checkpoint import FORMAT, load_file, save_file
from autolfads_trainer.userinput import InputError

UNSAFE = "is not a checkpoint that can be read safely: "
CONTENT = {
    "w": torch.arange(6, dtype=torch.float64).reshape(2, 3),
    "n": [1, 2.5, "σ", None],
    "deep": {"b": torch.tensor(3)},
}
EXAMPLES = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "good.ckpt"
    save_file(path, CONTENT)
    return path.read_bytes()


def content_or_refused(path: Path) -> dict[str, Any] | None:
    try:
        found = load_file(path)
    except InputError as error:
        check_sentence(error, path)
        return None
    assert found["format"] == FORMAT
    return found


def test_the_archive_written_again_is_still_good(good, tmp_path):
    assert same(load_file(rebuilt(tmp_path / "a.ckpt", good)), CONTENT | {"format": FORMAT})


def test_no_flipped_bit_is_taken_for_what_was_saved(good, tmp_path):
    path = tmp_path / "a.ckpt"
    for place in range(len(good)):
        spoiled = bytearray(good)
        spoiled[place] ^= 1 << (place // 3 % 8)
        path.write_bytes(spoiled)
        found = content_or_refused(path)
        # Room between the parts, dates and such may be flipped: nothing reads them.
        assert found is None or same(found, CONTENT | {"format": FORMAT}), place


def test_a_number_that_was_flipped_is_noticed(good, tmp_path):
    path = tmp_path / "a.ckpt"
    number = CONTENT["w"].numpy().tobytes()
    assert good.count(number) == 1
    path.write_bytes(good.replace(number, number[:-1] + b"\x41"))

    assert one_sentence(path, load_file).startswith(f"{UNSAFE}the checksum of '")


def test_no_part_of_it_is_taken_for_all(good, tmp_path):
    path = tmp_path / "a.ckpt"
    for length in range(0, len(good), 3):
        path.write_bytes(good[:length])
        assert content_or_refused(path) is None, length


def test_a_part_that_is_marked_as_a_folder(good, tmp_path):
    # torch would give out memory as it finds it.
    path = rebuilt(tmp_path / "a.ckpt", good)
    content = bytearray(path.read_bytes())
    entry = content.rfind(b"archive/data/1") - 46  # in the directory at the end
    assert content[entry : entry + 4] == b"PK\x01\x02"
    content[entry + 38] |= 0x10
    path.write_bytes(content)

    assert one_sentence(path, load_file) == f"{UNSAFE}a part of it is marked as a folder"


def test_a_packed_archive_is_not_unpacked(good, tmp_path):
    packed = rebuilt(tmp_path / "a.ckpt", good, compression=zipfile.ZIP_DEFLATED)
    assert "weights" not in str(torch.load(packed, weights_only=True))  # torch would

    assert one_sentence(packed, load_file) == f"{UNSAFE}it is packed, as torch never does"


def test_parts_that_are_the_same_bytes(good, tmp_path):
    path = rebuilt(tmp_path / "a.ckpt", good)
    add_overlapping_parts(path)

    assert one_sentence(path, load_file) == f"{UNSAFE}its parts overlap"


@pytest.mark.parametrize("older", ["pickle", "torch"])
def test_older_formats_are_not_even_tried(older, tmp_path):
    path = tmp_path / "a.ckpt"
    if older == "pickle":
        path.write_bytes(pickle.dumps({"format": FORMAT}, protocol=2))
    else:
        torch.save({"format": FORMAT}, path, _use_new_zipfile_serialization=False)

    assert one_sentence(path, load_file) == f"{UNSAFE}it is no archive as torch writes them"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_would_be_waited_for_is_not_opened(kind, tmp_path):
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "a.ckpt"
        os.mkfifo(path)

    assert one_sentence(path, load_file) == "is no regular file; expected a checkpoint"


def opcode(*parts: str | bytes) -> bytes:
    """Return a pickle of protocol 2 made of its opcodes."""
    return (
        b"\x80\x02"
        + b"".join(p.encode("latin-1") if isinstance(p, str) else p for p in parts)
        + b"."
    )


BUILT = {
    "a function": opcode("cos\nsystem\n(X\x05\x00\x00\x00touchtR"),
    "eval": opcode("cbuiltins\neval\n(X\x03\x00\x00\x001+1tR"),
    "an instance": opcode("(cos\nsystem\nX\x01\x00\x00\x00xo"),
    "an old instance": opcode("(X\x01\x00\x00\x00xios\nsystem\n"),
    "an extension": opcode(b"\x82\x01"),
    "a class of torch": opcode("ctorch.nn.modules.linear\nLinear\n(K\x01K\x01tR"),
    "an attribute": opcode("ctorch._utils\n_import_dotted_name\n(X\x02\x00\x00\x00ostR"),
    "a loader": opcode("ctorch\nload\n(X\x01\x00\x00\x00xtR"),
    "state": opcode("ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00__class__K\x01sb"),
    "much": opcode("cbuiltins\nbytearray\nJ\xff\xff\xff\x7f".encode("latin-1") + b"\x85R"),
    "a long number": opcode(b"\x8b\xff\xff\xff\x7f"),
    "a long text": opcode(b"X\xff\xff\xff\x7f"),
    "an unknown place": opcode("h\xc8".encode("latin-1")),
    "nothing on the stack": opcode("tR"),
    "storage from elsewhere": opcode("(X\x07\x00\x00\x00storageX\x04\x00\x00\x00../atQ"),
    "much by its place": opcode(
        "cbuiltins\nbytearray\nJ\xff\xff\xff\x7f".encode("latin-1") + b"\x81"
    ),
    "a name on the stack": opcode("X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93"),
    "deep": opcode("]" * 50_000 + "a" * 49_999),
}


@pytest.mark.parametrize("built", BUILT)
def test_a_pickle_built_by_hand(built, good, tmp_path, monkeypatch):
    calls: list[object] = []
    monkeypatch.setattr(os, "system", calls.append)
    path = rebuilt(tmp_path / "a.ckpt", good, BUILT[built])

    assert content_or_refused(path) is None
    assert calls == []


@pytest.mark.parametrize(
    "built", ["much", "much by its place", "a name on the stack", "an extension"]
)
def test_calls_are_refused_before_they_are_made(built, good, tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch was asked"))

    message = one_sentence(rebuilt(tmp_path / "a.ckpt", good, BUILT[built]), load_file)

    assert message.startswith(f"{UNSAFE}it calls what no tensor needs (")


@pytest.mark.parametrize("built", ["a function", "eval", "a name on the stack"])
def test_what_is_overlooked_is_not_called_either(built, good, tmp_path, monkeypatch):
    calls: list[object] = []
    monkeypatch.setattr(os, "system", calls.append)
    monkeypatch.setattr(checkpoint, "_strange_call", lambda _: None)

    message = one_sentence(rebuilt(tmp_path / "a.ckpt", good, BUILT[built]), load_file)

    assert message.startswith(f"{UNSAFE}it is damaged, or holds more than tensors")
    assert calls == []


def test_the_pickle_built_by_hand_would_call(monkeypatch):
    calls: list[object] = []
    monkeypatch.setattr(os, "system", calls.append)

    pickle.loads(BUILT["a function"])

    assert calls == ["touch"]


def test_nothing_is_imported_for_a_checkpoint(good, tmp_path, monkeypatch):
    (tmp_path / "strange_module.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    pickled = opcode("cstrange_module\nx\n")

    assert content_or_refused(rebuilt(tmp_path / "a.ckpt", good, pickled)) is None
    assert "strange_module" not in sys.modules


@settings(EXAMPLES, max_examples=150)
@given(
    changes=st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_a_pickle_with_some_bytes_changed(changes, good, tmp_path):
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        pickled = bytearray(archive.read("archive/data.pkl"))
    for place, byte in changes:
        pickled[place % len(pickled)] = byte

    content_or_refused(rebuilt(tmp_path / "a.ckpt", good, bytes(pickled)))


@settings(EXAMPLES, max_examples=100)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes(tmp_path, content, begins_well):
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"PK\x03\x04" * begins_well + content)

    assert content_or_refused(path) is None
