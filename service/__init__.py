"""A packed model → answers over the network."""
