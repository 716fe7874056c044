"""Tests of service/connections/."""
