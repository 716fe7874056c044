"""Tests of training/evaluate/."""
