"""Feeds the protocols' decoders with damaged requests: `python -m tests.fuzz --seconds 600`."""
