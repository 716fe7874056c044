"""Tests of training/registry/."""
