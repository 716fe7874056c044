"""Tests of service/pages/."""
