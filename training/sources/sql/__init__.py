"""Databases: their addresses, queries and values."""
