"""Attacks on the service, and their effect on well-behaved callers."""
