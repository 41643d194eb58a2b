"""Residual blocks, built from the rules."""
