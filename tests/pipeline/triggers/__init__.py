"""Tests of pipeline/triggers/."""
