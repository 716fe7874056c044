"""Tests of training/checks/."""
