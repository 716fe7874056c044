"""Tests of service/parquet/."""
