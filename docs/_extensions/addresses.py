"""The site's public addresses, ``public_addresses`` in conf.py; what needs one that nobody gave is left out."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config


def address(config: Config, name: str) -> str:
    """The address with this name, without a slash at its end; empty if nobody gave it."""
    return str(config.public_addresses.get(name, "")).rstrip("/")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the addresses."""
    app.add_config_value("public_addresses", {}, "html", dict)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
