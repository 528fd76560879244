"""Images without a registry: archives in the OCI's format, written file by file.

The `machine` image is a skeleton: links and empty folders into which a pod mounts the machine's
own `/usr`, so that it has this machine's Python and C library without a copy of them.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kube.build import PAUSE, binaries

PAUSE_IMAGE = "localhost/pause:1"
MACHINE_IMAGE = "localhost/machine:1"
SEARCHED = "PATH=/usr/local/bin:/usr/bin:/bin"
MEDIA = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PASSWD = "root:x:0:0:root:/:/bin/sh\nautolfads:x:10001:10001::/tmp:/bin/sh\n"


def write_images(folder: Path) -> list[Path]:
    """Write all archives into a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pause = (binaries(PAUSE) / "pause").read_bytes()
    made = {
        PAUSE_IMAGE: ([_file("pause", pause, 0o755)], {"Entrypoint": ["/pause"], "User": "65535"}),
        MACHINE_IMAGE: (_skeleton(), {"Env": [SEARCHED]}),
    }
    paths = []
    for name, (content, settings) in made.items():
        path = folder / f"{name.split('/')[1].split(':')[0]}.tar"
        path.write_bytes(_archive(name, content, settings))
        paths.append(path)
    return paths


def write_machine_with(name: str, modules: dict[str, str], path: Path) -> Path:
    """Write the `machine` image with Python modules beside it, as users make one of a worker's."""
    content = [*_skeleton(), _folder("lab")]
    content += [_file(f"lab/{module}.py", text.encode()) for module, text in modules.items()]
    path.write_bytes(_archive(name, content, {"Env": [SEARCHED, "PYTHONPATH=/lab"]}))
    return path


Entry = tuple[tarfile.TarInfo, bytes]


def _file(name: str, content: bytes, mode: int = 0o644) -> Entry:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    return info, content


def _folder(name: str, mode: int = 0o755) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info, b""


def _link(name: str, target: str) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info, b""


def _skeleton() -> list[Entry]:
    """Return what a machine has beside its `/usr`."""
    entries = [_folder(name) for name in ("usr", "etc", "proc", "sys", "dev", "var")]
    entries += [_folder("tmp", 0o1777), _file("etc/passwd", PASSWD.encode())]
    for name in ("bin", "sbin", "lib", "lib64"):
        target = Path("/") / name
        if target.is_symlink():  # on a machine whose /bin is its own, there is nothing to link to
            entries.append(_link(name, str(target.readlink())))
    return entries


def _archive(name: str, content: Iterable[Entry], settings: dict[str, Any]) -> bytes:
    layer = _tar(content)
    configuration = {
        "architecture": _architecture(),
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs = [layer, _json(configuration)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": _descriptor(blobs[1], f"{MEDIA}.config.v1+json"),
        "layers": [_descriptor(layer, f"{MEDIA}.layer.v1.tar")],
    }
    blobs.append(_json(manifest))
    described = _descriptor(blobs[2], f"{MEDIA}.manifest.v1+json")
    described["annotations"] = {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name,
    }
    return _tar(
        [
            _file("oci-layout", _json({"imageLayoutVersion": "1.0.0"})),
            _file("index.json", _json({"schemaVersion": 2, "manifests": [described]})),
            *(_file(f"blobs/sha256/{_digest(blob)[7:]}", blob) for blob in blobs),
        ]
    )


def _tar(entries: Iterable[Entry]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(content: bytes, media: str) -> dict[str, Any]:
    return {"mediaType": media, "digest": _digest(content), "size": len(content)}


def _architecture() -> str:
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)
