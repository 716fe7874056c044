"""Tests of service/web/."""
