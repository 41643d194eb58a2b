"""``{source} package.module.function``: a function as it stands in the source, without its docstring."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def code_of(function: Any) -> str:
    """The function's own source without its docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(text).body[0]
    lines = text.splitlines()
    if ast.get_docstring(definition) is not None:  # type: ignore[arg-type]
        docstring = definition.body[0]  # type: ignore[attr-defined]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


class Source(SphinxDirective):
    """Show one function of the library and note its file, so that a change of it shows."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Find the function and show its code."""
        module_name, _, name = self.arguments[0].rpartition(".")
        module = importlib.import_module(module_name)
        self.env.note_dependency(inspect.getsourcefile(module) or "")
        code = code_of(getattr(module, name))
        block = nodes.literal_block(code, code, language="python", runs="source")
        self.set_source_info(block)
        return [block]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("source", Source)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
