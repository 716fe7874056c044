"""The steps of a run, in their order: each reads what those before it wrote, and writes its own."""

STEPS = ("ingest", "check", "train", "evaluate", "validate", "pack", "image", "shadow", "promote")
