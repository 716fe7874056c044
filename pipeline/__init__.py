"""The wheel: a run in steps, each with a record, the gates between them, and what starts a run."""
