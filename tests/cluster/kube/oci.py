"""Real images from `images/`, built by buildah on a base that debootstrap makes: no registry."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from kube.build import cache

ROOT = Path(__file__).resolve().parents[3]
BASE = "localhost/debian-python:1"
PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = "/etc/ssl/certs"


class ImageError(RuntimeError):
    """An image cannot be built; the message has the tool's last words."""


def build(image: str, to: Path) -> str:
    """Build `images/IMAGE` into an archive that containerd takes; return the image's name."""
    name = f"localhost/autolfads-{image}:test"
    with tempfile.TemporaryDirectory(prefix="autolfads-images-") as scratch:
        tool = _Buildah(Path(scratch))
        tool.run("build", "--tag", BASE, "--file", _base_file(Path(scratch)), str(_rootfs().parent))
        # Who intercepts TLS here, does so with a certificate of this machine.
        certificates = ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"] if _own() else []
        tool.run(
            *("build", "--tag", name, "--file", f"images/{image}/Containerfile"),
            *("--build-arg", f"BASE={BASE}", *certificates, str(ROOT)),
        )
        to.unlink(missing_ok=True)
        tool.run("push", name, f"oci-archive:{to}:{name}")
    return name


def _own() -> bool:
    return Path(CERTIFICATES, "ca-certificates.crt").exists()


class _Buildah:
    """buildah with a store of its own, which goes with `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self._command = ["buildah", "--root", f"{scratch}/store", "--runroot", f"{scratch}/run"]
        self._command += ["--storage-driver", "vfs"]

    def run(self, *words: str) -> None:
        """Run a command. Raises `ImageError`."""
        own = ["--isolation", "chroot", "--pull-never"] if words[0] == "build" else []
        _do([*self._command, words[0], *own, *words[1:]])


def _base_file(scratch: Path) -> str:
    path = scratch / "Containerfile"
    path.write_text("FROM scratch\nADD rootfs.tar /\n")
    return str(path)


def _rootfs() -> Path:
    """Return the archive of a small Debian with Python, made now if need be."""
    release = _release()
    key = hashlib.sha256(f"{release} {PACKAGES}".encode()).hexdigest()[:16]
    archive = cache() / f"debian-{key}" / "rootfs.tar"
    if archive.exists():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autolfads-debian-") as scratch:
        tree = Path(scratch) / "rootfs"
        _do(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={PACKAGES}",
                release,
                str(tree),
                _mirror(),
            ]
        )
        for waste in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
            shutil.rmtree(tree / waste, ignore_errors=True)
        partial = archive.with_suffix(".new")
        _do(["tar", "--create", "--file", str(partial), "--directory", str(tree), "."])
        partial.replace(archive)
    return archive


def _release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    raise ImageError("/etc/os-release names no VERSION_CODENAME; expected that of a Debian")


def _mirror() -> str:
    """Return where this machine has its packages from."""
    done = _do(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"])
    sites = [line for line in done.splitlines() if "security" not in line]
    if not sites:
        raise ImageError("apt knows no mirror; expected one to make a base image from")
    return sites[0]


def _do(command: list[str]) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": "/var/tmp"},
        cwd=ROOT,
    )
    if done.returncode:
        said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise ImageError(f"{' '.join(command)}: {said}")
    return done.stdout
