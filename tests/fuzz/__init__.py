"""Feeds the dialects' decoders with damaged requests: `python -m tests.fuzz --seconds 600`."""
