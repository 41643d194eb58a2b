"""Measuring functions that keep the `y, vjp` contract: checks, Jacobians."""
