"""The types of the contract `y, vjp = f(x, *parameters, **settings)`."""

from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

# Takes y_bar (a tuple of them for several outputs); returns one entry for each positional argument of f.
Vjp: TypeAlias = Callable[..., tuple[Any, ...]]

# Whatever keeps the contract is a rule: nothing to inherit from, nothing to register.
Rule: TypeAlias = Callable[..., tuple[Any, Vjp]]
