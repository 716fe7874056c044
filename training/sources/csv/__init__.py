"""CSV files: how they are written, their rows, and what is broken in them."""
