"""Reads Parquet in processes of its own: a damaged or hostile file costs at most one of them."""
