"""The client of tests that ask once or a thousand times, from any number of threads."""

import threading

import httpx

# `httpx.get` makes a client for each call, which reads all certificates: 25 ms instead of 3.
TRUSTED = httpx.create_ssl_context()


class OwnTransport(httpx.BaseTransport):
    """A pool for each thread, where each request has a connection of its own.

    Where threads share one, a pool that keeps no connection may close one that another thread has just been given.
    """

    def __init__(self) -> None:
        self._own = threading.local()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it over this thread's."""
        if not hasattr(self._own, "pool"):
            self._own.pool = httpx.HTTPTransport(TRUSTED, limits=httpx.Limits(max_keepalive_connections=0))
        pool: httpx.HTTPTransport = self._own.pool
        return pool.handle_request(request)


HTTP = httpx.Client(timeout=60, transport=OwnTransport())
