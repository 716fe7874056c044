"""Tests of the challenger in the shadow."""
