"""The examples in the docstrings of the library print what they say."""

import doctest
import pkgutil
from importlib import import_module

import numpy as np
import pytest

import resgrad

FLOORS = ["rules", "blocks", "networks", "measure"]
MODULES = [
    f"resgrad.{floor}.{module.name}"
    for floor in FLOORS
    for module in pkgutil.iter_modules(import_module(f"resgrad.{floor}").__path__)
    if not module.name.startswith("_")
]
NAMES = {"np": np, **{name: getattr(resgrad, name) for name in resgrad.__all__}}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_every_public_function_run(name: str) -> None:
    module = import_module(name)
    public = [f for f in vars(module).values() if callable(f) and getattr(f, "__module__", "") == name]
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    for f in public:
        if f.__name__.startswith("_"):
            continue
        (example,) = finder.find(f, globs={**vars(module), **NAMES})
        assert example.examples, f"{name}.{f.__name__} has no example"
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
