"""Tests of pipeline/records/."""
