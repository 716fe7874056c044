"""Scoring on Spark: tables, SQL and streams, by the answers of the service (docs/spark.md).

A driver ships code and model; an executor needs what `executor.in` lists, and nothing of ours.
"""
