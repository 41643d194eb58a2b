"""Run the cells of a notebook in a kernel that stands apart from the rest of the machine.

Kernels talk over sockets in a private folder instead of TCP ports, which any process here can reach and two
kernels that start together can both claim; and they read no start-up file of whoever builds. Setting, in
``conf.py``:

``kernel_environment``
    Variables for the kernels, such as one thread for the linear algebra. Where one is set already, it stays.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import default

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from sphinx.application import Sphinx

_SOCKETS = os.name == "posix"
# Not the system's choice: the path of a socket may have 104 bytes, and some systems' own takes half of that.
_SHORT = Path("/tmp")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class CellError(Exception):
    """A cell that did not come to its end; `cell` is its index in the notebook."""

    def __init__(self, message: str, cell: int) -> None:
        super().__init__(message)
        self.cell = cell


class Manager(AsyncKernelManager):
    """A kernel manager whose kernels talk over sockets in the private folder."""

    @default("transport")
    def _transport(self) -> str:
        return "ipc" if _SOCKETS else "tcp"

    @default("ip")
    def _place(self) -> str:
        # Absolute, since a kernel does not run in the folder of the one who starts it.
        return str(Path(jupyter_runtime_dir()) / uuid4().hex[:8]) if _SOCKETS else "127.0.0.1"


def run(notebook: NotebookNode, folder: Path, *, timeout: int | None, allow_errors: bool) -> None:
    """Run the cells of a notebook in `folder`, in one kernel; their outputs are put into it.

    Raises
    ------
    CellError
        A cell raised (and may not), took more than `timeout` seconds, or ended its kernel.
    """
    begun = [0]
    client = NotebookClient(
        notebook,
        resources={"metadata": {"path": str(folder)}},
        kernel_manager_class=Manager,
        timeout=timeout,
        allow_errors=allow_errors,
        record_timing=False,
        on_cell_execute=lambda cell, cell_index: begun.append(cell_index),
    )
    try:
        client.execute()
    except CellExecutionError as error:
        traceback = _COLOURS.sub("", error.traceback)
        raise CellError(f"{error.ename}: {error.evalue}\n{traceback}", begun[-1]) from None
    except CellTimeoutError:
        raise CellError(f"it took more than {timeout} seconds", begun[-1]) from None
    except DeadKernelError:
        raise CellError("the kernel died", begun[-1]) from None


def environment(app: Sphinx) -> dict[str, str]:
    """Say what the variables of ``kernel_environment`` are for this build."""
    return {name: os.environ.get(name, value) for name, value in app.config.kernel_environment.items()}


def prepare(app: Sphinx) -> None:
    """Set the variables and make the private folder, which goes with the build."""
    folder = TemporaryDirectory(prefix="kernels-", dir=_SHORT if _SHORT.is_dir() else None)
    os.environ.update(environment(app))
    os.environ["JUPYTER_RUNTIME_DIR"] = folder.name
    os.environ["IPYTHONDIR"] = str(Path(app.outdir).parent / "ipython")
    app.connect("build-finished", lambda app, exception: folder.cleanup())


def setup(app: Sphinx) -> dict[str, Any]:
    """Wire the kernels' surroundings into a build."""
    app.add_config_value("kernel_environment", {}, "env", [dict])
    app.connect("builder-inited", prepare)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
