"""Tests of service/protocols/."""
