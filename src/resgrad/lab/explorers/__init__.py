"""One module for each explorer of the site; its function of the same name computes a state."""
