"""Tests of service/sources/."""
