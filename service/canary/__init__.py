"""A candidate answers a share of the callers; guardrails give them back to the champion by themselves, and say why."""
