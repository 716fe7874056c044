"""Counts what the service sees, in its spare time, and shows it beside what training saw."""
