"""Fuzz target: a text is a manifest, a configuration, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import atheris
from harness import fuzz

with atheris.instrument_imports(include=["autolfads_trainer", "autolfads_operator", "yaml"]):
    from configuration_examples import EVERY_KEY, SIZES

    from autolfads_operator.manifest import read_manifest
    from autolfads_trainer.config.resolve import resolve
    from autolfads_trainer.userinput import MAX_MESSAGE, InputError

MANIFEST = """\
apiVersion: autolfads.io/v1alpha1
kind: AutoLFADSRun
metadata: {name: lorenz}
spec:
  data: {path: lorenz.h5}
  population: 4
  config: {model: {gen_dim: &a 20, readout: !!set {x}}}
  workers: {gpu: {sharing: mps}, podTemplate: {nodeSelector: {a: "1"}}}
  pbt: {searchSpace: {model.lr_init: {min: 1e-5, max: 5e-3, init: *a}}}
"""
BOMB = "a: &a {x: 1}\nb: &b [*a, *a]\nc: {<<: [*a, *a]}\n"


def one(path: Path) -> None:
    for read in (read_manifest, lambda file: resolve({}, config_file=file, sizes=SIZES)):
        try:
            read(path)
        except InputError as error:
            assert str(error).encode()
            assert len(str(error)) <= MAX_MESSAGE


fuzz(one, [text.encode() for text in (MANIFEST, EVERY_KEY, BOMB, *EVERY_KEY.split("\n"))])
