"""Ekiben's version: the wheel has it, and the service reports it to callers."""

VERSION = "0.2.0"
