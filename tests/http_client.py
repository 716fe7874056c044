"""The client of tests that ask once or a thousand times."""

import httpx

# `httpx.get` makes a client for each call, which reads all certificates: 25 ms instead of 3.
# Each request still has a connection of its own.
HTTP = httpx.Client(timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
