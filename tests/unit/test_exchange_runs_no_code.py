"""Checkpoints of Lightning made to do harm, or damaged: nothing runs, nothing takes much."""

from __future__ import annotations

import builtins
import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning_examples as examples
import pytest
import torch
from hostile_archives import add_overlapping_parts, rebuilt
from hostile_files import check_sentence, one_sentence
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_models import same

from autolfads_trainer.exchange import archive, inert
from autolfads_trainer.exchange.configuration import describe
from autolfads_trainer.exchange.conversion import model_of
from autolfads_trainer.exchange.lightning import Foreign, read_lightning
from autolfads_trainer.exchange.plain import MAX_VALUES
from autolfads_trainer.userinput import InputError

UNSAFE = "is not a checkpoint that can be read safely: "
EXAMPLES = settings(
    derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPRUNG: list[str] = []
WEIGHT = torch.arange(6, dtype=torch.float64).reshape(2, 3)
CONTENT = {
    "state_dict": OrderedDict(w=WEIGHT),
    "hyper_parameters": {"rate": 0.5, "name": "σ", "deep": [1, {"a": None}]},
    "epoch": 3,
}


class Reduced:
    """Is whatever a call of `function` returns."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.call = function, arguments, state

    def __reduce__(self) -> tuple[Any, ...]:
        function, arguments, state = self.call
        return (function, arguments) if state is None else (function, arguments, state)


class SetUp:
    """Runs code whenever it is made, set up, filled or looked at."""

    def __new__(cls) -> SetUp:
        SPRUNG.append("new")
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        SPRUNG.append("state")

    def __setitem__(self, key: Any, value: Any) -> None:
        SPRUNG.append("item")

    def __hash__(self) -> int:
        SPRUNG.append("hash")
        return 1

    def __reduce_ex__(self, protocol: int) -> Any:
        return SetUp, (), {"a": 1}, None, iter([("a", 1)])


def archived(
    path: Path, pickled: bytes, numbers: bytes = WEIGHT.numpy().tobytes(), **options: Any
) -> Path:
    """Write an archive as torch's, with the storage 0."""
    with zipfile.ZipFile(path, "w", **options) as target:
        target.writestr("archive/data.pkl", pickled)
        target.writestr("archive/byteorder", "little")
        target.writestr("archive/data/0", numbers)
        target.writestr("archive/version", "3\n")
    return path


def opcodes(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


def holding(value: Any) -> dict[str, Any]:
    return {"state_dict": {}, "hyper_parameters": {"value": value}}


def content_or_refused(path: Path) -> Foreign | None:
    try:
        return read_lightning(path)
    except InputError as error:
        check_sentence(error, path)
        return None


# Calls are only remembered.


def test_a_call_is_data(tmp_path, monkeypatch):
    path = examples.write(tmp_path / "a.ckpt", holding(Reduced(os.system, f"touch {tmp_path}/b")))

    found = read_lightning(path).hyperparameters["value"]

    assert found == {"_target_": "posix.system", "_args_": [f"touch {tmp_path}/b"]}
    assert not (tmp_path / "b").exists()
    torch.load(path, weights_only=False)  # it is a trap
    assert (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (builtins.eval, ["1 / 0"]),
        (builtins.exec, ["1 / 0"]),
        (builtins.getattr, ["a", "b"]),
        (builtins.__import__, ["this"]),
        (bytearray, [10**12]),
        (open, ["/dev/null"]),
        (torch.load, ["none"]),
        (OrderedDict, [[["a", 1]]]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_nothing_real_is_called(function, arguments, tmp_path):
    path = examples.write(tmp_path / "a.ckpt", holding(Reduced(function, *arguments)))

    found = read_lightning(path).hyperparameters["value"]

    if function is OrderedDict:
        assert found == {}  # what is no item set by the pickle is none
    else:
        assert found["_target_"].endswith(function.__qualname__)
        assert found["_args_"] == arguments
    assert "this" not in sys.modules


def test_a_class_that_runs_code_is_not_even_looked_for(tmp_path):
    path = examples.write(tmp_path / "a.ckpt", holding({"x": SetUp()}) | {"callbacks": SetUp()})
    SPRUNG.clear()

    found = read_lightning(path).hyperparameters["value"]

    assert SPRUNG == []
    assert found == {"x": {"_target_": f"{__name__}.SetUp", "a": 1}}
    torch.load(path, weights_only=False)
    assert set(SPRUNG) >= {"new", "state", "item"}


@pytest.mark.parametrize(
    "state",
    [
        {"__class__": 1, "__dict__": {}, "args": 2, "name": "x"},
        ({"a": 1}, {"__class__": 2, "name": "x"}),
        (None, {"__setstate__": 1}),
        [1],
        7,
    ],
    ids=repr,
)
def test_a_state_sets_nothing(state, tmp_path):
    path = examples.write(tmp_path / "a.ckpt", holding(Reduced(os.system, "x", state=state)))

    found = read_lightning(path).hyperparameters["value"]

    assert found["_target_"] == "posix.system" if "name" not in repr(state) else True
    assert inert.StandIn.name == ""
    assert inert.StandIn("x").args == ("x",)


def test_the_way_to_rebuild_tensors_is_out_of_reach(tmp_path):
    # A state given to a function sets its attributes, its defaults among them.
    name = b"ctorch._utils\n_rebuild_tensor_v2\n"
    built = opcodes(name, b"}X\x0c\x00\x00\x00__defaults__(K\x01K\x02tsb")
    before = torch._utils._rebuild_tensor_v2.__defaults__

    message = one_sentence(archived(tmp_path / "a.ckpt", built), read_lightning)

    assert message.startswith(f"{UNSAFE}its description is damaged: ")
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def test_nothing_is_imported(tmp_path, monkeypatch):
    (tmp_path / "strange_module.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)

    content_or_refused(archived(tmp_path / "a.ckpt", opcodes(b"cstrange_module\nx\n)R")))

    assert "strange_module" not in sys.modules


# What no pickle of torch holds is refused before the first of it is followed.

STRANGE = {
    "STACK_GLOBAL": opcodes(
        b"X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93X\x01\x00\x00\x00x\x85R"
    ),
    "INST": opcodes(b"(X\x01\x00\x00\x00xios\nsystem\n"),
    "OBJ": opcodes(b"(cos\nsystem\nX\x01\x00\x00\x00xo"),
    "EXT1": opcodes(b"\x82\x01"),
    "NEWOBJ_EX": opcodes(b"cos\nsystem\n)}\x92"),
    "FRAME": opcodes(b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f}"),
    "LONG4": opcodes(b"\x8b\x01\x00\x00\x00\x01"),
    "BINBYTES8": opcodes(b"\x8e\x01\x00\x00\x00\x00\x00\x00\x00x"),
    "BYTEARRAY8": opcodes(b"\x96\x01\x00\x00\x00\x00\x00\x00\x00x"),
    "PERSID": opcodes(b"P0\n"),
    "INT": opcodes(b"I1\n"),
    "DUP": opcodes(b"}2"),
    "DICT": opcodes(b"(d"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_opcode(name, tmp_path, monkeypatch):
    monkeypatch.setattr(inert, "_Unpickler", lambda _: pytest.fail("it was followed"))

    message = one_sentence(archived(tmp_path / "a.ckpt", STRANGE[name]), read_lightning)

    assert message == f"{UNSAFE}its pickle holds {name}, which torch never writes"


@pytest.mark.parametrize(
    ("built", "reason"),
    [
        (b"\x80\x04}.", "its pickle is of protocol 4, and torch's of 2"),
        (b"}.", "its pickle is of no protocol, and torch's of 2"),
        (b"\x80\x02\x80\x02}.", "its pickle is of protocol 2, and torch's of 2"),
        (opcodes(b"}r\xff\xff\xff\xff"), "its pickle counts to 4294967295, and has 9 bytes"),
    ],
)
def test_an_odd_pickle(built, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(inert, "_Unpickler", lambda _: pytest.fail("it was followed"))

    assert one_sentence(archived(tmp_path / "a.ckpt", built), read_lightning) == UNSAFE + reason


@pytest.mark.parametrize(
    "built",
    [
        b"",
        b"\x80\x02}",
        opcodes(b"X\xff\xff\xff\x7f"),
        opcodes(b"h\xc8"),
        opcodes(b"tR"),
        opcodes(b"}R"),
        opcodes(b"}}b"),
        opcodes(b"]}b"),
        opcodes(b"}]K\x01s"),
        opcodes(b"cos\nsystem\nK\x01K\x02s"),
        opcodes(b"cos\nsystem\nK\x01a"),
        opcodes(b"K\x01\x81"),
        opcodes(b"}(K\x01u"),
        opcodes(b"c\xff\n\xff\n"),
    ],
)
def test_a_pickle_that_makes_no_sense(built, tmp_path):
    message = one_sentence(archived(tmp_path / "a.ckpt", built), read_lightning)

    assert message.startswith(f"{UNSAFE}its description is damaged: ")


# What takes memory.


def test_deep_nesting_ends(tmp_path):
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    path = examples.write(tmp_path / "a.ckpt", holding(deep))
    very_deep = opcodes(b"]" * 20_000, b"a" * 19_999)
    calls_of_calls = opcodes(b"cos\nsystem\n", b")R" * 20_000)

    assert "hold more than 20000 values or 40 levels" in one_sentence(path, read_lightning)
    assert one_sentence(archived(path, very_deep), read_lightning).startswith("holds a list; ")
    message = one_sentence(archived(path, calls_of_calls), read_lightning)
    assert message.startswith("holds an object of call; ")


def test_what_is_shared_multiplies_no_further(tmp_path):
    laughs: Any = ["ha"] * 10
    for _ in range(20):
        laughs = [laughs] * 10
    path = examples.write(tmp_path / "a.ckpt", holding(laughs))

    message = one_sentence(path, read_lightning)

    assert f"hold more than {MAX_VALUES} values" in message


def test_classes_are_counted(tmp_path):
    names = b"".join(b"cm\nn%d\n0" % number for number in range(inert.MAX_NAMES + 1))

    message = one_sentence(archived(tmp_path / "a.ckpt", opcodes(names, b"}")), read_lightning)

    assert message == f"{UNSAFE}it names more than {inert.MAX_NAMES} classes"


def test_a_long_description_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_PICKLE", 100)
    path = examples.write(tmp_path / "a.ckpt", holding("x" * 200))

    message = one_sentence(path, read_lightning)

    assert message.endswith(" bytes; at most 100 are read")


class Odd:
    """A tensor with arguments of one's own."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __reduce__(self) -> tuple[Any, ...]:
        # After its numbers: offset, shape, stride.
        return torch._utils._rebuild_tensor_v2, (*self.arguments, False, OrderedDict())


NUMBERS = WEIGHT.untyped_storage()
STORED = torch.storage.TypedStorage(wrap_storage=NUMBERS, dtype=torch.float64, _internal=True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((0, (10**12,), (0,)), "a tensor in it has the shape (1000000000000,), and its numbers"),
        ((0, (7,), (1,)), "a tensor in it has the shape (7,), and its numbers are 6"),
        ((3, (2, 2), (2, 1)), "a tensor in it has the shape (2, 2), and its numbers are 6"),
        ((0, (2, 2), (5, 1)), "a tensor in it has the shape (2, 2), and its numbers are 6"),
        ((10**20, (1,), (1,)), "a tensor in it has the shape (1,), and its numbers are 6"),
        ((-1, (1,), (1,)), "the shape of a tensor in it makes no sense"),
        ((0, (1,), (-1,)), "the shape of a tensor in it makes no sense"),
        ((0, (-1,), (1,)), "the shape of a tensor in it makes no sense"),
        ((0, (2,), (1, 1)), "the shape of a tensor in it makes no sense"),
        ((0, (1,) * 9, (1,) * 9), "the shape of a tensor in it makes no sense"),
        ((0, (True,), (1,)), "the shape of a tensor in it makes no sense"),
        ((0.0, (1,), (1,)), "the shape of a tensor in it makes no sense"),
        ((0, [1], [1]), "the shape of a tensor in it makes no sense"),
        ((0, 1, 1), "the shape of a tensor in it makes no sense"),
    ],
)
def test_a_tensor_has_no_more_than_its_numbers(arguments, reason, tmp_path):
    content = {"state_dict": {"w": Odd(STORED, *arguments)}}
    path = examples.write(tmp_path / "a.ckpt", content)

    assert one_sentence(path, read_lightning).startswith(UNSAFE + reason)


def test_tensors_together_have_no_more_than_their_numbers(tmp_path):
    one = {"state_dict": {str(n): Odd(STORED, n, (3,), (1,)) for n in (0, 3)}}
    assert len(read_lightning(examples.write(tmp_path / "a.ckpt", one)).state_dict) == 2
    many = {"state_dict": {str(n): Odd(STORED, 0, (6,), (1,)) for n in range(2)}}
    path = examples.write(tmp_path / "a.ckpt", many)

    assert one_sentence(path, read_lightning) == f"{UNSAFE}its weights overlap"


def storage_of(kind: bytes, key: bytes, count: bytes) -> bytes:
    """Return the state_dict of one tensor `(1,)` of these numbers."""

    def text(value: bytes) -> bytes:
        return b"X" + struct.pack("<I", len(value)) + value

    storage = b"(" + text(b"storage") + kind + text(key) + text(b"cpu") + count + b"tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00K\x01\x85K\x01\x85tR"
    return opcodes(b"}", text(b"state_dict"), b"}", text(b"w"), tensor, b"ss")


DOUBLE = b"ctorch\nDoubleStorage\n"


def test_a_storage_named_by_hand_is_read(tmp_path):
    path = archived(tmp_path / "a.ckpt", storage_of(DOUBLE, b"0", b"K\x06"))

    assert same(read_lightning(path).state_dict, {"w": WEIGHT[0, :1]})


@pytest.mark.parametrize(
    ("kind", "key", "count", "reason"),
    [
        (DOUBLE, b"0", b"K\x07", "its numbers '0' are 48 bytes, and not those it speaks of"),
        (DOUBLE, b"0", b"X\x01\x00\x00\x006", "its numbers '0' are 48 bytes, and not those"),
        (DOUBLE, b"1", b"K\x06", "its numbers '1' are not in it"),
        (DOUBLE, b"../data/0", b"K\x06", "its numbers '../data/0' are not in it"),
        (b"ctorch\nBoolStorage\n", b"0", b"K\x06", "it holds a tensor of torch.BoolStorage, which"),
        (b"cos\nsystem\n", b"0", b"K\x06", "it holds a tensor of os.system, which is not known"),
        (b"K\x01", b"0", b"K\x06", "the numbers of a tensor in it are of no kind"),
        (DOUBLE + b")R", b"0", b"K\x06", "the numbers of a tensor in it are of no kind"),
    ],
)
def test_a_storage_that_is_not_there(kind, key, count, reason, tmp_path):
    path = archived(tmp_path / "a.ckpt", storage_of(kind, key, count))

    assert one_sentence(path, read_lightning).startswith(UNSAFE + reason)


# The archive.


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    return examples.write(tmp_path_factory.mktemp("good") / "good.ckpt", CONTENT).read_bytes()


def test_the_archive_written_again_is_still_good(good, tmp_path):
    found = read_lightning(rebuilt(tmp_path / "a.ckpt", good))

    assert same(found.state_dict, {"w": WEIGHT})
    assert found.hyperparameters == CONTENT["hyper_parameters"]


def test_a_packed_archive_is_not_unpacked(good, tmp_path):
    path = rebuilt(tmp_path / "a.ckpt", good, compression=zipfile.ZIP_DEFLATED)

    assert one_sentence(path, read_lightning) == f"{UNSAFE}it is packed, as torch never does"


def test_parts_that_are_the_same_bytes(good, tmp_path):
    path = rebuilt(tmp_path / "a.ckpt", good)
    add_overlapping_parts(path)

    assert one_sentence(path, read_lightning) == f"{UNSAFE}its parts overlap"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("good/data/0", bytes(48), "two of its parts have the same name"),
        ("other/data.pkl", b"\x80\x02}.", "it has 2 parts called data.pkl, and not one"),
        ("good/folder/", b"", "a part of it is marked as a folder"),
    ],
)
def test_a_part_too_many(name, content, reason, good, tmp_path):
    path = rebuilt(tmp_path / "a.ckpt", good)
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(name, content)

    assert one_sentence(path, read_lightning) == UNSAFE + reason


def test_numbers_the_other_way_round(tmp_path):
    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("archive/data.pkl", b"\x80\x02}.")
        target.writestr("archive/byteorder", "big")

    assert one_sentence(path, read_lightning) == f"{UNSAFE}its numbers are not little-endian"


@pytest.mark.parametrize("older", ["pickle", "torch"])
def test_older_formats_are_not_even_tried(older, tmp_path):
    path = tmp_path / "a.ckpt"
    if older == "pickle":
        path.write_bytes(pickle.dumps(CONTENT, protocol=2))
    else:
        torch.save(CONTENT, path, _use_new_zipfile_serialization=False)

    assert one_sentence(path, read_lightning) == f"{UNSAFE}it is no archive as torch writes them"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_would_be_waited_for_is_not_opened(kind, tmp_path):
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "a.ckpt"
        os.mkfifo(path)

    assert one_sentence(path, read_lightning) == "is no regular file; expected a checkpoint"


def is_as_saved(found: Foreign | None) -> bool:
    return found is None or (
        same(found.state_dict, {"w": WEIGHT})
        and same(found.hyperparameters, CONTENT["hyper_parameters"])
        and found.epoch == 3
    )


def test_no_flipped_bit_is_taken_for_what_was_saved(good, tmp_path):
    path = tmp_path / "a.ckpt"
    for place in range(0, len(good), 5):
        spoiled = bytearray(good)
        spoiled[place] ^= 1 << (place // 5 % 8)
        path.write_bytes(spoiled)
        assert is_as_saved(content_or_refused(path)), place


def test_a_number_that_was_flipped_is_noticed(good, tmp_path):
    number = WEIGHT.numpy().tobytes()
    assert good.count(number) == 1
    path = tmp_path / "a.ckpt"
    path.write_bytes(good.replace(number, number[:-1] + b"\x41"))

    assert one_sentence(path, read_lightning).startswith(f"{UNSAFE}Bad CRC-32 for file ")


def test_no_part_of_it_is_taken_for_all(good, tmp_path):
    path = tmp_path / "a.ckpt"
    for length in range(0, len(good), 11):
        path.write_bytes(good[:length])
        assert content_or_refused(path) is None, length


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """The pickle of all that Lightning saves."""
    path = examples.saved(tmp_path_factory.mktemp("whole") / "a.ckpt")
    with zipfile.ZipFile(path) as source:
        return source.read("a/data.pkl")


@settings(EXAMPLES, max_examples=100)
@given(
    changes=st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 255)), min_size=1, max_size=4)
)
def test_a_pickle_with_some_bytes_changed(changes, whole, tmp_path):
    pickled = bytearray(whole)
    for place, byte in changes:
        pickled[place % len(pickled)] = byte

    content_or_refused(archived(tmp_path / "a.ckpt", bytes(pickled)))


@settings(EXAMPLES, max_examples=120)
@given(
    parts=st.lists(
        st.sampled_from(
            [
                *(b"}", b"]", b"(", b")", b"t", b"R", b"b", b"s", b"u", b"a", b"e", b"\x81"),
                *(b"Q", b"0", b"N", b"K\x01", b"q\x00", b"h\x00", b"\x85", b"\x86"),
                *(b"X\x01\x00\x00\x00a", b"X\x0a\x00\x00\x00state_dict"),
                *(b"cos\nsystem\n", b"ccollections\nOrderedDict\n"),
                *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"comegaconf.x\nDictConfig\n"),
            ]
        ),
        max_size=30,
    )
)
@example(parts=[b"cos\nsystem\n", b"cos\nsystem\n", b"b"])
def test_opcodes_in_any_order(parts, tmp_path):
    content_or_refused(archived(tmp_path / "a.ckpt", opcodes(b"}", *parts)))


@settings(EXAMPLES, max_examples=100)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes(tmp_path, content, begins_well):
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"PK\x03\x04" * begins_well + content)

    assert content_or_refused(path) is None


def test_what_is_made_by_a_call_of_an_object(tmp_path):
    path = examples.write(tmp_path / "a.ckpt", holding(Reduced(torch.zeros, 10**12)))

    found = read_lightning(path).hyperparameters["value"]

    function, size = found["_args_"]
    assert (found["_target_"], size) == ("call", 10**12)
    assert (function["_target_"], function["_args_"][1]) == ("__builtin__.getattr", "zeros")


# Beyond reading.

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
NESTED = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["_target_", "batch_transforms", "df", "cd_rate", "cd_pass_dist", "probs"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> Foreign:
    return read_lightning(examples.saved(tmp_path_factory.mktemp("usual") / "a.ckpt"))


@settings(EXAMPLES, max_examples=60)
@given(
    name=st.sampled_from(
        ["gen_dim", "encod_seq_len", "variational", "train_aug_stack", "co_prior", "cell_clip"]
    ),
    value=NESTED,
)
def test_a_hyperparameter_of_any_kind_makes_a_model_or_one_error(name, value, usual):
    foreign = replace(usual, hyperparameters=usual.hyperparameters | {name: value})

    try:
        assert model_of(foreign, describe(foreign)).sizes.gen_dim == 7
    except InputError as error:
        check_sentence(error, usual.path)
