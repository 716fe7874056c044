"""Versions of tables: kept once by their content, and read again to the bit."""
