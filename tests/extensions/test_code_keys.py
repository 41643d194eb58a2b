"""What code is found to run, and what changes the key of a page."""

from pathlib import Path

import pytest

from code_closure import Closure, page_code
from code_keys import page_key
from code_uses import CodeError

TREE = {
    "one/__init__.py": "",
    "one/leaf.py": "",
    "one/user.py": "from .leaf import x\nfrom . import other\n",
    "one/other.py": "import json\n",
    "one/deep/__init__.py": "from ..leaf import x\n",
    "one/deep/inner.py": "",
    "lazy/__init__.py": 'T = {"a": "lazy.a", "b": "lazy.b:b"}\ndef __getattr__(name): return import_module(T[name])\n',
    "lazy/a.py": "",
    "lazy/b.py": "",
    "typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from one.leaf import X\n",
    "namespace/part.py": "",
    "by_name.py": "from importlib import import_module\nimport_module('one.leaf')\n",
    "computed.py": "from importlib import import_module\nimport_module(input())\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in TREE.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "src"


def modules_of(source, *roots):
    return sorted(Closure(roots).follow(page_code(source, "code")).modules)


def found(source, root):
    return [path.relative_to(root).as_posix() for path in modules_of(source, root)]


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import one.leaf", ["one/__init__.py", "one/leaf.py"]),
        ("from one import leaf", ["one/__init__.py", "one/leaf.py"]),
        ("from one.leaf import x", ["one/__init__.py", "one/leaf.py"]),
        ("import one.user", ["one/__init__.py", "one/leaf.py", "one/other.py", "one/user.py"]),
        (
            "def f():\n    from one.deep import inner",
            ["one/__init__.py", "one/deep/__init__.py", "one/deep/inner.py", "one/leaf.py"],
        ),
        ("from lazy import a", ["lazy/__init__.py", "lazy/a.py"]),
        ("from lazy import b as c", ["lazy/__init__.py", "lazy/b.py"]),
        ("import lazy", ["lazy/__init__.py", "lazy/a.py", "lazy/b.py"]),
        ("from lazy import *", ["lazy/__init__.py", "lazy/a.py", "lazy/b.py"]),
        ("import lazy.a as a", ["lazy/__init__.py", "lazy/a.py"]),
        ("import typed", ["typed.py"]),
        ("import namespace.part", ["namespace/part.py"]),
        ("import by_name", ["by_name.py", "one/__init__.py", "one/leaf.py"]),
        ("text = '''\n>>> import one.leaf\n'''", ["one/__init__.py", "one/leaf.py"]),
        ("import numpy", []),
        ("import one.missing", ["one/__init__.py"]),
    ],
)
def test_modules_that_code_imports(root, source, modules):
    assert found(source, root) == modules


def test_earlier_root_comes_first(root, tmp_path):
    early = tmp_path / "early"
    early.mkdir()
    (early / "typed.py").write_text("")
    assert modules_of("import typed", early, root) == [early / "typed.py"]


def key(root, *cells, **options):
    return page_key(cells, roots=[root], top=root.parent, folder=root.parent / "docs", **options)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("x = 1", "x = 1  # why", True),
        ('def f():\n    "Say."\n    return 1', 'def f():\n    "Say it."\n    return 1', True),
        ("x = 1", "x  =  1\n", True),
        ("x = 1", "x = 2", False),
        ("x = 1", "y = 1", False),
        ('"Say."\nprint(__doc__)', '"Say it."\nprint(__doc__)', False),
        ("from inspect import getsource\nx = 1", "from inspect import getsource\nx = 1  # why", False),
        ("from inspect import signature\nx = 1", "from inspect import signature\nx = 1  # why", True),
    ],
)
def test_what_counts_in_a_module(root, before, after, same):
    (root / "one/leaf.py").write_text(before)
    first = key(root, "import one.leaf")
    (root / "one/leaf.py").write_text(after)
    assert (key(root, "import one.leaf") == first) is same


@pytest.mark.parametrize(
    "name", ["src/one/data/deep/a.csv", "src/one/table.csv", "notes.toml", "docs/beside.txt"]
)
def test_files_that_code_names_count(root, name):
    (root / "one/leaf.py").write_text(
        "paths = 'data', 'table.csv', 'notes.toml', 'gone.csv', '', '.', '..', '/'"
    )
    cell = "from one.leaf import paths\nprint(open('beside.txt'))"
    path = root.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = {key(root, cell)}
    for text in ("1", "2"):
        path.write_text(text)
        keys.add(key(root, cell))
    assert len(keys) == 3
    (root / "one/unread.csv").write_text("3")
    assert key(root, cell) in keys


def test_key_is_the_same_in_another_clone(root, tmp_path):
    first = key(root, "from one.user import x")
    root.parent.joinpath("again").mkdir()
    moved = root.rename(root.parent / "again/src")
    assert key(moved, "from one.user import x") == first


def test_what_else_counts(root, monkeypatch):
    keys = {key(root, "x"), key(root, "x", "x"), key(root, "x", extra=["lock"]), key(root, "import numpy")}
    monkeypatch.setattr("code_keys._version", lambda library: "0.0")
    keys.add(key(root, "import numpy"))
    assert len(keys) == 5


def test_code_of_which_it_cannot_be_said_what_it_runs(root):
    with pytest.raises(CodeError, match=r"cell 2:1: not plain Python"):
        key(root, "x = 1", "%matplotlib inline")
    with pytest.raises(CodeError, match=r"computed\.py:2: the name of an imported module is computed"):
        key(root, "import computed")
    assert key(root, "import computed", strict=False)


def test_project_can_tell_what_its_pages_run():
    """The library and the checks hold no import that the key of a page could miss."""
    top = Path(__file__).parents[2]
    roots = [top / "src", top / "docs/_extensions"]
    modules = modules_of("import resgrad, checking", *roots)
    assert top / "src/resgrad/blocks/residual.py" in modules
    assert page_key(["import resgrad, checking"], roots=roots, top=top, folder=top / "docs")
