"""Stacks of blocks: all activations forward, all gradients backward."""
