"""The gates between the steps: each is a verdict of one sentence."""
