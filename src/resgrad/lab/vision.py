"""Colours as other eyes see them, to choose a palette that every reader can tell apart.

A module of its own: no page but the one on notation needs it, so the others do not depend on it.
"""

from __future__ import annotations

import numpy as np

from resgrad.lab.palette import PALETTE, _linear, contrast, oklab_distance

__all__ = ["ROLES", "VISIONS", "lowest_contrast", "nearest", "seen"]

#: The roles whose colours stand side by side in a figure.
ROLES = ("ink", "skip", "branch", "gradient", "weight")
#: Kind of vision -> its matrix on linear RGB: Machado, Oliveira and Fernandes (2009), table 1, at full severity;
#: ``grey`` keeps the luminance alone.
VISIONS = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
    "grey": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}


def seen(colour: str, vision: str) -> str:
    """Return a colour as an eye of that kind sees it.

    Parameters
    ----------
    colour : str
        ``#rrggbb``.
    vision : str
        A key of `VISIONS`.

    Returns
    -------
    str
        ``#rrggbb``, each part rounded and cut off at the ends of its range.

    Raises
    ------
    ValueError
        If there is no such vision.

    Examples
    --------
    >>> seen("#123abf", "normal")
    '#123abf'
    >>> seen("#ffffff", "deutan")
    '#ffffff'
    """
    if vision not in VISIONS:
        raise ValueError(f"vision must be one of {', '.join(VISIONS)}, not {vision!r}")
    linear = np.clip(VISIONS[vision] @ _linear(colour), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * part):02x}" for part in encoded)


def nearest(theme: str, vision: str = "normal") -> float:
    """Return the smallest OKLab distance (times 100) between two roles, as that vision sees them.

    `theme` is ``light`` or ``dark``.

    Examples
    --------
    >>> nearest("light") > nearest("light", "grey")
    True
    """
    colours = [seen(getattr(PALETTE[role], theme), vision) for role in ROLES]
    return min(oklab_distance(one, other) for i, one in enumerate(colours) for other in colours[:i])


def lowest_contrast(theme: str) -> float:
    """Return the smallest contrast of a role on a page or a card; `theme` is ``light`` or ``dark``.

    Examples
    --------
    >>> lowest_contrast("light") > 4.5  # what text needs (WCAG 2.2)
    True
    """
    grounds = (getattr(PALETTE[role], theme) for role in ("page", "card"))
    return min(contrast(getattr(PALETTE[role], theme), ground) for ground in grounds for role in ROLES)
