"""How gradients are back-propagated through y = F(x) + x, in numpy.

Every rule is a pair: ``y, vjp = f(x, *parameters, **settings)`` gives the value and the function that
pulls a gradient back, ``x_bar, *parameter_bars = vjp(y_bar)``.
"""

from importlib import import_module
from typing import Any

# name -> module: imported on first use (PEP 562), so that a page depends only on what it names.
_HOME = {
    "agree": "resgrad.measure.check",
    "check_vjp": "resgrad.measure.check",
    "cross_entropy": "resgrad.rules.loss",
    "gradient_correlation": "resgrad.measure.correlation",
    "gradient_flow": "resgrad.measure.flow",
    "gradient_lengths": "resgrad.measure.flow",
    "jacobian": "resgrad.measure.check",
    "linear": "resgrad.rules.linear",
    "memory": "resgrad.measure.memory",
    "relu": "resgrad.rules.activation",
    "residual": "resgrad.blocks.residual",
    "singular_values": "resgrad.measure.spectrum",
    "tanh": "resgrad.rules.activation",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'resgrad' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
