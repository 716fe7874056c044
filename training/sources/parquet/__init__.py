"""Parquet: a file, or a folder whose parts are one table."""
