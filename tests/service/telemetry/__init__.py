"""Tests of service/telemetry/."""
