"""Tests of pipeline/triggers/looking/."""
