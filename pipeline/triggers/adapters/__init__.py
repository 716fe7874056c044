"""Engines of others, each told of an event by a command for `ekiben watch --do`."""
