"""Tests of training/exploring/."""
