"""A table → a model in the store."""
