"""Tests of the command `ekiben`."""
