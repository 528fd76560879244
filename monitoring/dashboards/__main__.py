"""Write the dashboards into a folder: `python -m dashboards FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import fleet, one_run, operator
from dashboards.parts import Board, built

BOARDS: dict[str, Board] = {
    "fleet": fleet.BOARD,
    "one-run": one_run.BOARD,
    "operator": operator.BOARD,
}


def main(folder: Path) -> None:
    """Write each as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, board in BOARDS.items():
        text = JSONEncoder(sort_keys=True, indent=2).encode(built(board).build())
        (folder / f"{name}.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
