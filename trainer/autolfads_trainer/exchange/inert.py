"""A pickle read as a description: whatever it names, makes or sets up is a stand-in.

Nothing is imported and nothing real is called, not even what rebuilds a tensor: that is done by
others here, from what the stand-ins remember.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterable
from typing import Any, ClassVar

from autolfads_trainer.exchange.archive import UnreadableError

MAX_NAMES = 1_000  # of classes and functions: each takes about 1 kB here

_PROTOCOL = 2  # torch's
# All that a pickle of this protocol is made of. The others import by numbers or by what lies on the
# stack, or allocate what they announce.
_OPCODES = frozenset(
    [
        "PROTO",
        "STOP",
        "MARK",
        "POP",
        "POP_MARK",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "BINUNICODE",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "EMPTY_DICT",
        "SETITEM",
        "SETITEMS",
        "GLOBAL",
        "REDUCE",
        "BUILD",
        "NEWOBJ",
        "BINPERSID",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
    ]
)


class StandIn:
    """An object that a pickle would make: what it was made of, and what was done to it."""

    __slots__ = ("args", "members", "pairs", "state")
    name: ClassVar[str] = ""  # of its class or of the function that returns it: `module.name`

    args: tuple[Any, ...]
    state: Any
    members: list[Any] | None  # appended, as to a list
    pairs: dict[Any, Any] | None  # set, as in a mapping

    def __new__(cls, *args: Any) -> StandIn:  # noqa: D102  (magic)
        self = super().__new__(cls)
        self.args = args
        self.state = self.members = self.pairs = None
        return self

    def __call__(self, *args: Any) -> Called:  # noqa: D102  (magic)
        return Called(self, *args)

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.pairs is None:
            self.pairs = {}
        self.pairs[key] = value

    def extend(self, values: Iterable[Any]) -> None:
        """Remember what a pickle appends."""
        if self.members is None:
            self.members = []
        self.members.extend(values)

    def append(self, value: Any) -> None:
        """Remember what a pickle appends."""
        self.extend([value])

    @property
    def attributes(self) -> dict[str, Any]:
        """What its `__dict__` and its slots would hold."""
        parts = self.state if isinstance(self.state, tuple) else (self.state,)
        found: dict[str, Any] = {}
        for part in parts:
            if isinstance(part, dict):
                found |= {name: value for name, value in part.items() if isinstance(name, str)}
        return found


class Called(StandIn):
    """What an object would return that is called: the object is the first argument."""

    __slots__ = ()
    name = "call"


class Storage(StandIn):
    """Numbers that lie in a part of the archive; its arguments say in which."""

    __slots__ = ()
    name = "storage"


class _Unpickler(pickle.Unpickler):
    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))
        self._kinds: dict[str, type[StandIn]] = {}

    def find_class(self, module: str, name: str) -> type[StandIn]:
        full = f"{module}.{name}"
        if full not in self._kinds:
            if len(self._kinds) >= MAX_NAMES:
                raise UnreadableError(f"it names more than {MAX_NAMES} classes")
            self._kinds[full] = type("StandIn", (StandIn,), {"__slots__": (), "name": full})
        return self._kinds[full]

    def persistent_load(self, pid: Any) -> Storage:
        # Its arguments are looked at by whoever reads the numbers.
        return Storage(*pid) if isinstance(pid, tuple) else Storage(pid)


def described(pickled: bytes) -> Any:
    """Return what a pickle of torch describes: plain values, lists, dicts, tuples and `StandIn`.

    Raises `UnreadableError`.
    """
    try:
        _check(pickled)
        return _Unpickler(pickled).load()
    except UnreadableError:
        raise
    except Exception as error:  # nearly anything, for a pickle that is none
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UnreadableError(f"its description is damaged: {reason}") from None


def _check(pickled: bytes) -> None:
    """Look at every opcode before the first one is followed."""
    for number, (opcode, value, _) in enumerate(pickletools.genops(pickled)):
        if (opcode.name == "PROTO") != (number == 0) or (number == 0 and value != _PROTOCOL):
            found = f"protocol {value}" if opcode.name == "PROTO" else "no protocol"
            raise UnreadableError(f"its pickle is of {found}, and torch's of {_PROTOCOL}")
        if opcode.name not in _OPCODES:
            raise UnreadableError(f"its pickle holds {opcode.name}, which torch never writes")
        if opcode.name == "LONG_BINPUT" and (value or 0) > len(pickled):
            # Python makes room for all numbers below.
            raise UnreadableError(f"its pickle counts to {value}, and has {len(pickled)} bytes")
