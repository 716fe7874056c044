"""Dataset versions: what a table's digest is of, tables that are kept to be trained on again, and what changed."""
