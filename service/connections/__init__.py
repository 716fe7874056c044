"""Connections: their bytes, their limits, and which requests are read, made to wait or rejected."""
