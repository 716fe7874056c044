"""Tests of load_tests/cost/."""
