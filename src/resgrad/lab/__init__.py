"""The laboratory (extra `resgrad[lab]`): figures, diagrams, optimisers, training, sweeps, data."""
