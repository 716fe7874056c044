"""Intervals that follow what labels say: by how much bounds have to move, and the version in which they did."""
