"""What stands around the code is true: commands, versions, locks, pinned actions, no address of a machine."""

import doctest
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]


def text(name):
    return (TOP / name).read_text("utf-8")


def tracked():
    try:
        listed = subprocess.run(
            ["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git here to say which files belong to the project")
    return [path for path in map(TOP.joinpath, listed.splitlines()) if path.is_file()]


def test_no_file_names_a_registry_or_a_place_on_a_machine():
    hosts = ["pypi" + r"\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian"]
    places = [
        rf"(?<![\w.]){folder}" for folder in ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/")
    ]
    never = re.compile("|".join(hosts + places).encode())
    found = [
        f"{path.relative_to(TOP)}: {hit[0]!r}"
        for path in tracked()
        for hit in never.finditer(path.read_bytes())
    ]
    assert not found


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", ".readthedocs.yaml", ".github/workflows/ci.yml"]
)
def test_every_command_that_is_named_is_a_target(name):
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = set(
        re.findall(r"(?:^ *(?:- )?(?:run: )?|`)make(?: [A-Z]+=\S+)? ([a-z]+)", text(name), re.MULTILINE)
    )
    assert named
    assert named <= targets


def test_ci_runs_all_that_make_check_runs():
    steps = re.search(r"^check: ([a-z ]+) ##", text("Makefile"), re.MULTILINE)[1]
    assert re.search(r"for step in ([a-z ]+);", text(".ci/run"))[1] == steps


def test_example_in_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", text("README.md"), re.DOTALL)
    example = doctest.DocTestParser().get_doctest(code, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner()
    runner.run(example)
    assert runner.summarize().failed == 0


def test_links_to_files_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md"):
        links = [link for link in re.findall(r"\]\(([^)#]+)\)", text(name)) if "://" not in link]
        assert not [link for link in links if not (TOP / link).exists()]


def test_one_version_everywhere():
    version = PROJECT["version"]
    assert re.search(r"^version: (.+)$", text("CITATION.cff"), re.MULTILINE)[1] == version
    assert re.search(r'^release = "(.+)"$', text("conf.py"), re.MULTILINE)[1] == version
    assert re.search(rf"^## \[(Unreleased|{re.escape(version)})\]", text("CHANGELOG.md"), re.MULTILINE)


def pins(name):
    return dict(re.findall(r"^([\w.-]+)==([^ ;\\]+)", text(name), re.MULTILINE))


def test_the_locks_agree_and_hold_every_dependency():
    main, oracle = pins("requirements.lock"), pins("requirements-oracle.lock")
    shared = main.keys() & oracle.keys()
    assert "numpy" in shared
    assert {name: main[name] for name in shared} == {name: oracle[name] for name in shared}
    needed = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["lab"]]
    assert {re.match(r"[\w-]+", entry)[0] for entry in needed} <= main.keys()
    assert "jax" in oracle.keys() - main.keys()


def test_every_action_is_pinned_and_gets_no_right_that_it_does_not_need():
    workflow = text(".github/workflows/ci.yml")
    uses = re.findall(r"uses: (.+)$", workflow, re.MULTILINE)
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in uses)
    assert re.search(r"^permissions: \{\}$", workflow, re.MULTILINE)


def test_the_lock_of_the_browser_tests_names_no_place():
    lock = json.loads(text("tests/browser/package-lock.json"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert {
        "node_modules/axe-core",
        "node_modules/lighthouse",
        "node_modules/puppeteer-core",
    } <= packages.keys()
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not [name for name, entry in packages.items() if "resolved" in entry]
