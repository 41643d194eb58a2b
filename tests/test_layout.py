"""The map of the project holds: one stem in five places, floors, a reason for each dependency."""

import ast
import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from reader import displays, notebook_of

TOP = Path(__file__).parents[1]
LIBRARY = TOP / "src/resgrad"
PAGES = sorted((TOP / "docs/derivations").glob("*.md"))
#: From the ground up: each imports only from those below it, and from itself.
FLOORS = ["rules", "blocks", "networks", "measure", "lab"]
#: Pages whose subject is no single rule, block or network.
WITHOUT_MODULE = {
    "assembled",
    "bounds",
    "bus",
    "checking",
    "index",
    "initialization",
    "limit",
    "notation",
    "paths",
    "weights",
}
STEMS = {
    path.stem: path.parent.name
    for floor in ("rules", "blocks", "networks")
    for path in sorted((LIBRARY / floor).glob("[a-z]*.py"))
}
MODULES = sorted(LIBRARY.rglob("*.py"))


def name(path):
    return path.relative_to(TOP).as_posix()


@pytest.mark.parametrize("stem", STEMS)
def test_a_module_has_its_page_and_its_tests(stem):
    assert (TOP / f"docs/derivations/{stem}.md").is_file()
    assert (TOP / f"tests/{STEMS[stem]}/test_{stem}.py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_has_its_module_and_labels_of_its_own(page):
    assert (page.stem in STEMS) != (page.stem in WITHOUT_MODULE)
    text = page.read_text("utf-8")
    cells = "".join(cell.source for cell in notebook_of(text).cells if cell.cell_type == "code")
    labels = [*displays(text), *re.findall(r'"(fig-[a-z0-9-]+)"', cells)]
    strangers = [label for label in labels if not re.match(rf"(eq|fig)-{page.stem}-", label)]
    assert not strangers


def imported(path):
    """The modules of the library that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno}: imports are absolute here"
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent != LIBRARY], ids=name)
def test_a_package_imports_only_from_those_below_it(path):
    floor = path.relative_to(LIBRARY).parts[0]
    allowed = FLOORS[: FLOORS.index(floor) + 1]
    taken = [module.split(".") for module in imported(path) if module.split(".")[0] == "resgrad"]
    assert all(len(module) > 1 and module[1] in allowed for module in taken)


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent != LIBRARY], ids=name)
def test_only_the_laboratory_needs_more_than_numpy(path):
    site = {path.stem for path in (TOP / "docs/_extensions").glob("*.py")}
    assert not site.intersection(imported(path))
    if path.relative_to(LIBRARY).parts[0] != "lab":
        libraries = {module.partition(".")[0] for module in imported(path)} - {"resgrad", "numpy"}
        assert libraries.isdisjoint({"matplotlib", "threadpoolctl", "tqdm", "scipy"})


@pytest.mark.parametrize("package", FLOORS)
def test_an_init_file_holds_only_a_docstring(package):
    (docstring,) = ast.parse((LIBRARY / package / "__init__.py").read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)


def test_every_file_beside_a_module_is_read_by_its_name():
    """What no code names would be data whose change no page notices."""
    for path in LIBRARY.rglob("*"):
        if path.is_dir() or path.suffix in (".py", ".pyc") or path.name == "py.typed":
            continue
        beside = [module for module in MODULES if path.is_relative_to(module.parent)]
        parts = path.relative_to(LIBRARY).parts
        assert any(f'"{part}"' in module.read_text("utf-8") for module in beside for part in parts), name(
            path
        )


def test_every_module_of_the_site_has_its_place_in_the_architecture():
    table = re.findall(r"^\| (`.*?) \|", (TOP / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    named = [pattern for row in table for pattern in re.findall(r"`([\w*]+)`", row)]
    modules = [path.stem for path in (TOP / "docs/_extensions").glob("*.py")]
    assert not [module for module in modules if not any(fnmatch(module, pattern) for pattern in named)]
    assert not [pattern for pattern in named if not any(fnmatch(module, pattern) for module in modules)]


def test_every_dependency_has_its_reason():
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    needed = {re.match(r"[\w-]+", entry)[0] for group in groups for entry in group if isinstance(entry, str)}
    browsers = json.loads((TOP / "tests/browser/package.json").read_text("utf-8"))
    needed |= browsers["devDependencies"].keys()
    reasons = re.findall(r"^- `([\w-]+)`: \w", (TOP / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(reasons) == sorted(needed)
