"""Derivative rules: one function each, `y, vjp = f(x, *parameters, **settings)`."""
