"""What a table, a model and its callers agree on; imports none of the rooms above it."""
