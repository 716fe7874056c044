"""Tests of pipeline/triggers/events/."""
