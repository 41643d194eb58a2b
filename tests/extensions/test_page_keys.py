"""Count the executions of a small site's pages after each kind of change, in real builds."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from textwrap import dedent

import pytest
from sphinx.cmd.build import build_main

FILES = {
    "conf.py": """
        extensions = ["page_keys"]
        source_suffix = {".md": "myst-nb"}
        exclude_patterns = ["build"]
        html_theme = "basic"
        nb_execution_mode = "cache"
        page_keys_roots = ["src"]
        page_keys_locks = ["lock"]
    """,
    "lock": "one==1\n",
    "docs/index.md": "# Start\n\n```{toctree}\nleaf\nshared\nlazy\n```\n",
    "docs/leaf.md": "from lib.leaf import f",
    "docs/shared.md": "from lib import shared",
    "docs/lazy.md": "from lib import both",
    "src/lib/__init__.py": '''
        """Import names when they are asked for."""

        from importlib import import_module

        _HOME = {"both": "lib.both", "other": "lib.unrelated"}


        def __getattr__(name):
            if name not in _HOME:
                raise AttributeError(name)
            return getattr(import_module(_HOME[name]), name)
    ''',
    "src/lib/leaf.py": "f = 1\n",
    "src/lib/both.py": "from .shared import g\nfrom .tables import table\n\nboth = g\n",
    "src/lib/shared.py": 'def g():\n    """Say one."""\n    return 1\n',
    "src/lib/tables.py": 'from pathlib import Path\n\ntable = (Path(__file__).parent / "data" / "a.csv").read_text()\n',
    "src/lib/data/a.csv": "1,2\n",
    "src/lib/unrelated.py": "other = 1\n",
}
PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
---

# A page

```{{code-cell}}
import os

{code}

with open(os.environ["EXECUTIONS"], "a") as log:
    print("{name}", file=log)
```
"""


def write(root, name, text):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def page(root, name, code, cell=PAGE):
    write(root, f"docs/{name}.md", cell.format(name=name, code=code))


class Site:
    """A site in a folder of its own, and a log of which page was executed."""

    def __init__(self, root):
        self.root, self.log = root, root / "executions.log"
        for name, text in FILES.items():
            write(root, name, dedent(text))
        for name in ("leaf", "shared", "lazy"):
            page(root, name, FILES[f"docs/{name}.md"])

    def arguments(self, *options):
        folders = [str(self.root / name) for name in ("docs", "build/html")]
        return ["-q", "-W", "-c", str(self.root), "-d", str(self.root / "build/doctrees"), *options, *folders]

    def build(self, *options):
        """Build and say which pages were executed; a failed build is an error."""
        assert build_main(self.arguments(*options)) == 0
        return self.executed()

    def executed(self):
        pages = sorted(self.log.read_text().split()) if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return pages

    def edit(self, name, old, new):
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@contextmanager
def kernels_find(root):
    """Give the kernels the site's modules and its log; what the builds set is undone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, "")
        patch.setenv("PYTHONPATH", str(root / "src"))
        patch.setenv("EXECUTIONS", str(root / "executions.log"))
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A site that was built once; each test leaves it built."""
    root = tmp_path_factory.mktemp("site")
    with kernels_find(root):
        site = Site(root)
        assert site.build("-j", "2") == ["lazy", "leaf", "shared"]
        yield site


def nothing(site):
    pass


def date(site):
    for path in site.root.glob("src/lib/*.py"):
        path.touch()


def prose(site):
    site.edit("docs/leaf.md", "# A page", "# A page\n\nMore.")


def shown_otherwise(site):
    site.edit("docs/leaf.md", "```{code-cell}", "```{code-cell}\n:tags: [remove-input]")


def comment(site):
    site.edit("src/lib/shared.py", "def g", "# Why.\ndef g")


def docstring(site):
    site.edit("src/lib/shared.py", "Say one.", "Say the number one.")


def unrelated(site):
    site.edit("src/lib/unrelated.py", "1", "2")


def lazy_name(site):
    site.edit("src/lib/__init__.py", '"other"', '"third": "lib.leaf", "other"')


def doctrees_gone(site):
    shutil.rmtree(site.root / "build/doctrees")


def cell(site):
    site.edit("docs/leaf.md", "import os", "import os, sys")


def leaf(site):
    site.edit("src/lib/leaf.py", "1", "2")


def shared(site):
    site.edit("src/lib/shared.py", "return 1", "return 2")


def shared_dated_2001(site):
    site.edit("src/lib/shared.py", "return", "return 0 +")
    os.utime(site.root / "src/lib/shared.py", (978307200, 978307200))


def page_dated_2001(site):
    site.edit("docs/leaf.md", "import os", "import os, re")
    os.utime(site.root / "docs/leaf.md", (978307200, 978307200))


def data(site):
    site.edit("src/lib/data/a.csv", "2", "3")


def lazy_home(site):
    site.edit("src/lib/__init__.py", '"both": "lib.both"', '"both": "lib.both_too"')
    shutil.copy(site.root / "src/lib/both.py", site.root / "src/lib/both_too.py")


def package(site):
    site.edit("src/lib/__init__.py", "import_module\n", "import_module\n\nnumber = 1\n")


def lock(site):
    site.edit("lock", "one==1", "one==2")


@pytest.mark.parametrize(
    ("change", "executed"),
    [
        (nothing, []),
        (date, []),
        (prose, []),
        (shown_otherwise, []),
        (comment, []),
        (docstring, []),
        (unrelated, []),
        (lazy_name, []),
        (doctrees_gone, []),
        (cell, ["leaf"]),
        (leaf, ["leaf"]),
        (shared, ["lazy", "shared"]),
        (shared_dated_2001, ["lazy", "shared"]),
        (page_dated_2001, ["leaf"]),
        (data, ["lazy"]),
        (lazy_home, ["lazy"]),
        (package, ["lazy", "leaf", "shared"]),
        (lock, ["lazy", "leaf", "shared"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else f"{len(value)}",
)
def test_executes_what_changed_and_nothing_else(built, change, executed):
    change(built)
    assert built.build("-j", "2" if len(executed) > 1 else "1") == executed


def test_new_environment_executes_nothing(built):
    assert built.build("-E", "-j", "2") == []


def test_keeps_one_execution_of_each_page_with_code(built):
    cell(built)
    built.build()
    kept = [path.name.rpartition("-")[0] for path in (built.root / "build/cache").iterdir()]
    assert sorted(kept) == ["lazy", "leaf", "shared"]


@pytest.fixture
def one(tmp_path):
    """A site that is not built yet, with one page that is executed."""
    with kernels_find(tmp_path):
        site = Site(tmp_path)
        for name in ("shared", "lazy"):
            (tmp_path / f"docs/{name}.md").unlink()
        write(tmp_path, "docs/index.md", "# Start\n\n```{toctree}\nleaf\n```\n")
        yield site


def html(site):
    return (site.root / "build/html/leaf.html").read_text()


def test_shows_what_the_code_gives_now(one):
    page(one.root, "leaf", "from lib.leaf import f\n\nprint('f is', f + 40)")
    one.build()
    assert "f is 41" in html(one)
    leaf = one.root / "src/lib/leaf.py"
    date = leaf.stat()
    one.edit("src/lib/leaf.py", "1", "2")
    os.utime(leaf, ns=(date.st_atime_ns, date.st_mtime_ns))  # of the same size and date: bytecode looks fresh
    one.build()
    assert "f is 42" in html(one)


def test_file_that_a_page_shows_is_known_by_content(one):
    write(one.root, "docs/leaf.md", "# Shown\n\n```{literalinclude} ../src/lib/leaf.py\n```\n")
    one.build()
    one.edit("src/lib/leaf.py", "f = 1", "f = 22")
    os.utime(one.root / "src/lib/leaf.py", (978307200, 978307200))
    assert one.build() == []
    assert "22" in html(one)


def test_page_is_read_again_when_an_extension_changed(one, monkeypatch):
    monkeypatch.syspath_prepend(one.root / "src")
    write(one.root, "docs/leaf.md", "# No code\n")
    write(
        one.root,
        "src/shown.py",
        """
from docutils import nodes


def setup(app):
    app.connect("doctree-read", lambda app, doctree: doctree.append(nodes.paragraph(text="once")))
    return {"parallel_read_safe": True}
""",
    )
    one.edit("conf.py", '["page_keys"]', '["page_keys", "shown"]')
    one.build()
    assert "once" in html(one)
    one.edit("src/shown.py", "once", "again")
    del sys.modules["shown"]
    assert one.build() == []
    assert "again" in html(one)
    del sys.modules["shown"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "leaf.md:10: ERROR: the cell did not come to its end: ZeroDivisionError"),
        ("os._exit(1)", "leaf.md:10: ERROR: the cell did not come to its end: the kernel died"),
        ("%matplotlib inline", "leaf.md: ERROR: cell 1:3: not plain Python"),
        ("__import__('l' + 'ib')", "leaf.md: ERROR: cell 1:3: the name of an imported module is computed"),
    ],
    ids=["raises", "kernel", "magic", "computed"],
)
def test_page_that_cannot_be_executed_stops_every_build(one, capfd, code, message):
    page(one.root, "leaf", code)
    for warnings in ("-W", "-Q"):
        assert build_main([*one.arguments(), warnings]) == 1
    assert message in capfd.readouterr().err


def test_warning_is_said_again_by_the_next_build(one, capfd):
    write(one.root, "docs/leaf.md", "# Link\n\n```{nowhere}\n```\n")
    for _ in range(2):
        assert build_main(one.arguments()) == 1
        assert "nowhere" in capfd.readouterr().err
    one.edit("docs/leaf.md", "{nowhere}", "text")
    one.build()


def test_interrupted_build_leaves_nothing_half_done(one):
    """The build process is killed while it executes the second page; the first page's outputs are kept."""
    kill = """
import shutil

if not os.path.exists("killed"):
    open("killed", "w").close()
    shutil.rmtree(os.environ["JUPYTER_RUNTIME_DIR"])  # nobody else is left to do it
    os.kill(os.getppid(), 9)
"""
    page(one.root, "shared", kill)
    one.edit("docs/index.md", "leaf", "leaf\nshared")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(one.root / "src"), *sys.path])}
    died = subprocess.run([sys.executable, "-m", "sphinx", *one.arguments()], env=environment, check=False)
    assert died.returncode == -9
    assert "leaf" in one.executed()
    assert one.build() == ["shared"]
    assert one.build() == []


def test_kernel_is_apart_from_the_machine(one, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, ".ipython/profile_default/startup/mine.py", "print('started by a file of mine')")
    one.edit("conf.py", "html_theme", 'kernel_environment = {"ONE_THREAD": "1"}\nhtml_theme')
    page(one.root, "leaf", "print('threads:', os.environ['ONE_THREAD'])")
    one.build()
    assert "threads: 1" in html(one)
    assert "file of mine" not in html(one)
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("ONE_THREAD", "2")
    assert one.build() == ["leaf"]
    assert "threads: 2" in html(one)
