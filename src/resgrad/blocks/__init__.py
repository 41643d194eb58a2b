"""Residual blocks, built from the rules, and blocks one after the other."""
