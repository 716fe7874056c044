"""Tells running services which share of their callers a candidate answers, and takes it back from all at once."""
