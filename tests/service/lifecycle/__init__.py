"""Tests of service/lifecycle/."""
