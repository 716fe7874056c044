"""Tests of `ekiben.training.truth`."""
