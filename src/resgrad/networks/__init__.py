"""Whole networks, built from the blocks."""
