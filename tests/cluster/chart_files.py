"""Write what Helm's tools make of the chart: its README, and `deploy/`. `make chart` runs it."""

from __future__ import annotations

import subprocess

import installation
from kube.build import HELM_DOCS, binaries
from kube.helm import CHART


def main() -> None:
    """Write them."""
    tool = str(binaries(HELM_DOCS) / "helm-docs")
    subprocess.run([tool, f"--chart-search-root={CHART}"], check=True, capture_output=True)
    installation.DEPLOY.write_text(installation.plain())


if __name__ == "__main__":
    main()
