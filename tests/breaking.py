"""Break one vjp of the library everywhere it is used: as a function, and as a pytest plugin by ``RESGRAD_BREAK``."""

import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, get_args

import numpy as np

import resgrad
from resgrad import blocks, networks, rules
from resgrad.rules._types import Rule, Vjp

CHANGES: dict[str, Callable[[Any], Any]] = {
    "zeros": np.zeros_like,
    "negative": np.negative,
    "half": lambda bar: bar / 2,
}
#: Rules whose gradient is zero on purpose, which no factor breaks: theirs is replaced by ones.
STOPS = {"resgrad.rules.add.stop_gradient"}


def changes(qualified: str) -> dict[str, Callable[[Any], Any]]:
    """The ways to break a function's vjp, each of which makes it another one."""
    return {"ones": np.ones_like} if qualified in STOPS else CHANGES


def exported() -> dict[str, Callable[..., Any]]:
    """Every public function of the rules, the blocks and the networks that has a vjp, by its qualified name."""
    names = [
        info.name
        for package in (rules, blocks, networks)
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        if not info.name.rpartition(".")[2].startswith("_")
    ]
    return {
        f"{name}.{attribute}": value
        for name in names
        for attribute, value in vars(importlib.import_module(name)).items()
        if callable(value) and getattr(value, "__module__", None) == name and not attribute.startswith("_")
        if not _returns_values_alone(value)
    }


def _returns_values_alone(function: Callable[..., Any]) -> bool:
    """Whether its annotation says that it returns arrays and neither a vjp nor a rule, so that nothing can break."""
    returned = inspect.signature(function).return_annotation
    return returned not in (inspect.Signature.empty, Any) and not _mentions_a_vjp(returned)


def _mentions_a_vjp(annotation: Any) -> bool:
    return annotation in (Rule, Vjp) or any(map(_mentions_a_vjp, get_args(annotation)))


def broken(function: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    """The function with what its vjp returns changed; of a function that makes rules, the rules it makes.

    A network is such a function, too: it returns a tuple of rules, and the shapes of their parameters.
    """

    @wraps(function)
    def wrapper(*args: Any, **settings: Any) -> Any:
        result = function(*args, **settings)
        if callable(result):
            return broken(result, change)
        value, vjp = result
        if isinstance(value, tuple) and all(map(callable, value)):
            return tuple(broken(rule, change) for rule in value), vjp
        return value, lambda bar: _changed(vjp(bar), change)

    return wrapper


def _changed(bars: Any, change: Callable[[Any], Any]) -> Any:
    return tuple(_changed(bar, change) for bar in bars) if isinstance(bars, tuple) else change(bars)


def break_everywhere(qualified: str, change: str, replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Put the broken function wherever a module of the library holds the right one."""
    original = exported()[qualified]
    wrong = broken(original, changes(qualified)[change])
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] == resgrad.__name__:
            for attribute, value in list(vars(module).items()):
                if value is original:
                    replace(module, attribute, wrong)


if "RESGRAD_BREAK" in os.environ:
    break_everywhere(*os.environ["RESGRAD_BREAK"].split(":"))
