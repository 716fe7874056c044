"""Tests of service/monitoring/."""
