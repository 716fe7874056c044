"""Keeps a share of the answered rows, and the labels that come for them later, in Parquet files."""
