"""This machine's Python and its packages in pods, by read-only claims: no image has to be built.

Pod Security *restricted* refuses hostPath in a pod, and lets a claim through.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def folders() -> dict[str, Path]:
    """Return the folders that make up this Python, by the names of their claims."""
    wanted = {
        "machine-usr": Path("/usr"),
        "machine-python": Path(sys.base_prefix).resolve(),
        "machine-venv": Path(sys.prefix),
        "machine-checkout": ROOT,
    }
    kept: dict[str, Path] = {}
    for name, path in wanted.items():
        if not any(path.is_relative_to(other) for other in kept.values()):
            kept[name] = path
    # One within another that came later is in that.
    return {
        name: path
        for name, path in kept.items()
        if not any(path != other and path.is_relative_to(other) for other in kept.values())
    }


def claims(namespace: str) -> list[dict[str, Any]]:
    """Return a volume and a claim for each folder."""
    return [
        each
        for name, path in folders().items()
        for each in volume_and_claim(name, path, namespace, "ReadOnlyMany")
    ]


def volume_and_claim(
    name: str, path: Path, namespace: str, mode: str = "ReadWriteMany"
) -> list[dict[str, Any]]:
    """Return a PersistentVolume of a folder of this machine, and the claim that has it."""
    volume = f"{namespace}-{name}"
    size = {"storage": "1Gi"}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume},
            "spec": {
                "capacity": size,
                "accessModes": [mode],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "claimRef": {"namespace": namespace, "name": name},
                "hostPath": {"path": str(path), "type": "Directory"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "accessModes": [mode],
                "storageClassName": "",
                "volumeName": volume,
                "resources": {"requests": size},
            },
        },
    ]


def volumes() -> list[dict[str, Any]]:
    """Return the volumes of a pod that has this Python."""
    return [
        {"name": name, "persistentVolumeClaim": {"claimName": name, "readOnly": True}}
        for name in folders()
    ]


def mounts() -> list[dict[str, Any]]:
    """Return where they are mounted: where they are on the machine, so that links hold."""
    return [
        {"name": name, "mountPath": str(path), "readOnly": True} for name, path in folders().items()
    ]
