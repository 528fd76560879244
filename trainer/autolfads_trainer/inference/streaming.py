"""A file of trials through a model, a few trials at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from autolfads_trainer.data.expected import Check, expected_by
from autolfads_trainer.data.hdf5 import opened
from autolfads_trainer.data.safety import Declared, declared, numbers_of, refuse_what_does_not_fit
from autolfads_trainer.data.sessions import names_of
from autolfads_trainer.disk import write_with
from autolfads_trainer.model.lfads import LFADS
from autolfads_trainer.training.checkpoint import load_file
from autolfads_trainer.training.draws import seed_of
from autolfads_trainer.userinput import InputError

ENCOD, EXT_INPUT = "encod_data", "ext_input"


def infer_file(
    checkpoint: Path,
    data: Path,
    out: Path,
    *,
    session: str | None = None,
    samples: int = 50,
    batch_size: int = 64,
    seed: int = 0,
    device: str = "auto",
) -> Iterator[str]:
    """Write what a model infers of every array of spikes in `data` to `out`; yield what it did.

    Nothing is at `out` before all of it is. Raises `InputError` where model and data do not go
    together.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    model = LFADS.load_from_checkpoint(checkpoint, name)
    number = _session(checkpoint, session, len(model.sizes.sessions))
    said: list[str] = []
    with opened(data) as source:
        arrays = _arrays(source, data, model, number)

        def write(path: Path) -> None:
            with h5py.File(path, "w", locking=False) as target:
                target.attrs["session"] = number
                for prefix, (encod, ext_input) in arrays.items():
                    one = _Array(model, number, data, encod, ext_input)
                    one.infer(target, prefix, samples=samples, batch_size=batch_size, seed=seed)
                    said.append(f"{encod.name}: {encod.shape[0]} trials{one.told()}")

        write_with(out, write)
    yield from said


def _session(checkpoint: Path, said: str | None, count: int) -> int:
    """Return the number of the session that is meant, by its name or its number."""
    names = [f"sess{number}" for number in range(count)]
    with suppress(InputError, LookupError, TypeError):  # of another program there are no names
        paths = load_file(checkpoint)["configuration"]["datamodule"]["data_paths"]
        if len(paths) == count:
            names = names_of([Path(path) for path in paths])
    if said is None and count == 1:
        return 0
    if said in names:
        return names.index(said)
    if said is not None and said.isdecimal() and int(said) < count:
        return int(said)
    found = "no --session" if said is None else f"--session {said}"
    known = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
    raise InputError(f"{checkpoint}: found {found}; expected one of the model's sessions: {known}")


def _arrays(
    file: h5py.File, path: Path, model: LFADS, session: int
) -> dict[str, tuple[Declared, Declared | None]]:
    """Return the arrays of spikes by the prefix of their name, each with its external input."""
    found = {}
    for name in sorted(file):
        if name != ENCOD and not name.endswith(f"_{ENCOD}"):
            continue
        prefix = name.removesuffix(ENCOD)
        encod = declared(file, name, path)
        heldin, sizes = model.sizes.sessions[session].encod_data_dim, model.sizes
        _check_shape(encod, (None, sizes.encod_seq_len, heldin), path)
        ext_input = None
        if sizes.ext_input_dim:
            if prefix + EXT_INPUT not in file:
                raise InputError(
                    f"{path}: has no '{prefix + EXT_INPUT}'; expected one of "
                    f"{sizes.ext_input_dim} channels, which the model was trained with"
                )
            ext_input = declared(file, prefix + EXT_INPUT, path)
            _check_shape(ext_input, (encod.shape[0], None, sizes.ext_input_dim), path)
        found[prefix] = (encod, ext_input)
    if not found:
        raise InputError(
            f"{path}: has no array of spikes; expected '{ENCOD}' or '<name>_{ENCOD}', each "
            "(trials, time, channels)"
        )
    return found


def _check_shape(found: Declared, shape: tuple[int | None, ...], path: Path) -> None:
    fits = len(found.shape) == 3 and all(
        wanted in (None, size) for size, wanted in zip(found.shape, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise InputError(
            f"{path}: '{found.name}' has the shape {found.shape}; expected ({wanted}): trials, "
            "time steps and channels as the model was trained with"
        )


class _Array:
    """One array of spikes, read and inferred in parts."""

    def __init__(
        self, model: LFADS, session: int, path: Path, encod: Declared, ext_input: Declared | None
    ) -> None:
        self.model, self.session, self.path = model, session, path
        self.encod, self.ext_input = encod, ext_input
        self.missing = 0
        part = model.configuration["reconstruction"][session]
        self.expected: Check = expected_by(part)

    def infer(
        self, target: h5py.File, prefix: str, *, samples: int, batch_size: int, seed: int
    ) -> None:
        """Write the outputs of all trials."""
        trials = self.encod.shape[0]
        for number, start in enumerate(range(0, trials, batch_size)):
            part = slice(start, min(start + batch_size, trials))
            outputs = self.model.infer(
                self._read(self.encod, part, self._checked),
                None if self.ext_input is None else self._read(self.ext_input, part, None),
                session=self.session,
                samples=samples,
                batch_size=batch_size,
                seed=seed_of(seed, "infer", prefix, number),
            )
            for name, values in outputs.items():
                key = prefix + name
                if key not in target:
                    target.create_dataset(key, (trials, *values.shape[1:]), np.float32)
                target[key][part] = values

    def told(self) -> str:
        """Return what to say besides of how many trials there are."""
        return f"; {self.missing} numbers are missing (NaN) and count as 0" if self.missing else ""

    def _checked(self, values: Any, start: int) -> None:
        del start
        self.missing += int(np.isnan(values).sum())
        if np.isnan(values).all():
            return
        if values.any():  # a few trials without a spike are no mistake
            self.expected(values, self.encod.name, self.path)

    def _read(self, found: Declared, part: slice, check: Callable[[Any, int], None] | None) -> Any:
        one = Declared(found.name, found.dataset, (part.stop - part.start, *found.shape[1:]))
        refuse_what_does_not_fit([one], self.path)
        values = numbers_of(found, self.path, np.float32, part)
        if check is not None:
            check(values, part.start)
        return values
