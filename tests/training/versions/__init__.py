"""Tests of `ekiben.training.versions`."""
