"""Classes of a user's own that `_target_` names. Only what was allowed is imported.

Which modules may be imported is said where a program begins (`--allow-import`, on a cluster the
operator's setting), never by a file that is read.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from autolfads_trainer.userinput import InputError

_allowed: set[str] = set()


def allow(modules: Iterable[str]) -> None:
    """Let classes of these modules, and of those below them, be imported by this process."""
    _allowed.update(modules)


def is_allowed(target: str, modules: Iterable[str]) -> bool:
    """Return whether the class `target` is of one of the modules, or of one below them."""
    module = target.rpartition(".")[0]
    return any(module == allowed or module.startswith(allowed + ".") for allowed in modules)


def place_in_own(error: BaseException) -> str | None:
    """Return where in a class of one's own an error arose: its method, file and line.

    None: nothing of one's own was at work.
    """
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module, code = str(frame.f_globals.get("__name__")), frame.f_code
        place = f"{module}.{code.co_qualname}(), line {line} of {code.co_filename}"
        if is_allowed(f"{module}.", _allowed):
            return place
        kind = type(frame.f_locals.get("self"))  # of a module allowed: the method is inherited
        if is_allowed(f"{kind.__module__}.{kind.__qualname__}", _allowed):
            return f"{kind.__module__}.{kind.__qualname__}: {place}"
    return None


def own_class(part: Mapping[str, Any]) -> Any:
    """Return the class that a part of a configuration names. Raises `InputError`."""
    target = str(part["_target_"])
    module, _, name = target.rpartition(".")
    if not is_allowed(target, _allowed):
        raise InputError(
            f"{target}: is not allowed here; expected a class of autolfads_trainer, or "
            f"--allow-import {module} (in Python: allow_import)"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise InputError(
            f"{target}: cannot be imported: {error}; expected the module '{module}' on Python's "
            "path (of a worker, too: on a cluster it comes with the image)"
        ) from error
    except AttributeError:
        raise InputError(f"{target}: the module '{module}' has no class '{name}'") from None
    except (Exception, SystemExit) as error:  # the user's own code ran
        raise InputError(
            f"{target}: importing it failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, type):
        raise InputError(f"{target}: is a {type(found).__name__}; expected a class")
    return found


def made(
    part: Mapping[str, Any], base: type | None = None, of_own: Mapping[str, Any] | None = None
) -> Any:
    """Return an instance of the class that a part names, made with its other keys.

    It is one of `base`, too, whose attributes it has where it does not have them itself; those
    `of_own` it has for all that. Raises `InputError`.
    """
    kind = own_class(part)
    arguments = {name: value for name, value in part.items() if name != "_target_"}
    bases = (kind,) if base is None or issubclass(kind, base) else (kind, base)
    adds = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, **(of_own or {})}
    kind = type(kind.__name__, bases, adds) if len(bases) > 1 or of_own else kind
    try:
        return kind(**arguments)
    except Exception as error:
        given = ", ".join(arguments) or "none"
        raise InputError(
            f"{part['_target_']}: cannot be made with the arguments given ({given}): "
            f"{type(error).__name__}: {error}"
        ) from error


# What a class of each role must have, and with how many arguments it is called.
_METHODS: dict[str, dict[str, int]] = {
    "reconstruction": {"reshape_output_params": 1, "compute_loss": 2, "compute_means": 1},
    "prior": {"make_posterior": 2, "forward": 2},
    "augmentation": {},
}
_EITHER = {"augmentation": {"process_batch": 1, "process_losses": 4}}


def check_own(role: str, part: Mapping[str, Any], where: str, dims: int = 1) -> dict[str, Any]:
    """Return a part that names a user's own class, once it is seen to be a `role`.

    It is imported, made with the part's other keys, and its methods are looked at and tried on a
    few numbers of `dims` channels or dimensions. Raises `InputError`, which begins with `where`.
    """
    target = part["_target_"]
    try:
        one = made(part)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    methods = dict(_METHODS[role])
    either = _EITHER.get(role, {})
    there = {name: count for name, count in either.items() if hasattr(one, name)}
    if either and not there:
        raise InputError(
            f"{where}: {target} has neither {' nor '.join(either)}; expected a method of one of "
            f"these names, as an {role} has"
        )
    for name, count in (methods | there).items():
        method = getattr(one, name, None)
        if not callable(method):
            known = ", ".join(f"{method}()" for method in methods)
            raise InputError(f"{where}: {target} has no {name}(); expected {known} of a {role}")
        _check_call(method, name, count, target, where)
    n_params = getattr(one, "n_params", None)
    if role == "reconstruction" and not (isinstance(n_params, int) and n_params > 0):
        raise InputError(
            f"{where}: {target} has n_params {n_params!r}; expected a whole number of at least 1,"
            " the parameters of each channel"
        )
    if role in _TRIALS:
        _TRIALS[role](one, dims, f"{where}: {target}")
    return dict(part)


def _try_reconstruction(one: Any, channels: int, named: str) -> None:
    import torch  # noqa: PLC0415  (the class itself has loaded it)

    data = torch.ones(2, 3, channels)
    params = _called(
        one.reshape_output_params, (torch.zeros(2, 3, one.n_params * channels),), None, named
    )
    params = params.detach().requires_grad_()
    loss = _called(one.compute_loss, (data, params), data.shape, f"{named}.compute_loss()")
    if not loss.requires_grad:
        raise InputError(
            f"{named}.compute_loss(): gives losses without a gradient; expected what torch's "
            "operations make of output_params"
        )
    _called(one.compute_means, (params,), data.shape, f"{named}.compute_means()")


def _try_prior(one: Any, dims: int, named: str) -> None:
    import torch  # noqa: PLC0415

    for shape in ((2, dims), (2, 3, dims)) if dims else ():
        mean, std = torch.zeros(shape), torch.ones(shape)

        def sampled(mean: Any = mean, std: Any = std) -> Any:
            return one.make_posterior(mean, std).rsample()

        try:
            with torch.random.fork_rng([]):  # what is tried changes no random number after it
                _called(sampled, (), mean.shape, f"{named}.make_posterior()")
                _called(one, (mean, std), (), f"{named}.forward()")
        except InputError:
            if shape == (2, dims):  # it may be for the control alone
                continue
            raise
        return


_TRIALS = {"reconstruction": _try_reconstruction, "prior": _try_prior}


def _called(call: Any, given: tuple[Any, ...], shape: Any, named: str) -> Any:
    """Return what a method gives; it must have the `shape`, if one is expected."""
    import torch  # noqa: PLC0415

    try:
        found = call(*given)
        there = tuple(found.shape)
    except Exception as error:
        raise InputError(
            f"{named}: fails on a few numbers: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, torch.Tensor):
        raise InputError(f"{named}: gives a {type(found).__name__}; expected a tensor")
    if shape is not None and there != tuple(shape):
        raise InputError(f"{named}: gives the shape {there}; expected {tuple(shape)}")
    return found


def _check_call(method: Any, name: str, count: int, target: str, where: str) -> None:
    try:
        inspect.signature(method).bind(*[None] * count)
    except TypeError as error:
        raise InputError(
            f"{where}: {target}.{name}() is called with {count} arguments; its signature is "
            f"{inspect.signature(method)} ({error})"
        ) from None
