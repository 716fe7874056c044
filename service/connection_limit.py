"""Keeps the number of connections below what the process may open: the ones idle for longest are closed first."""

import heapq
import resource
from collections.abc import Collection
from typing import Any

RESERVED_FILES = 96  # for the model, logs, metrics, gRPC's connections and processes that read bodies
SHARE = 20  # one in so many is closed at once, so that a flood of connections does not sort them all each time
FEWEST = 16


def find_limit(wanted: int) -> int:
    """Raise the limit of open files as far as it is needed and allowed; return how many connections there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft - RESERVED_FILES), FEWEST)


def make_room(connections: Collection[Any]) -> None:
    """Close the connections that have been without a request for longest, or a head that has been arriving for longest.

    A connection whose request is being answered is left alone.
    """
    unused = [connection for connection in connections if connection.is_answered()]
    for connection in heapq.nsmallest(len(connections) // SHARE + 1, unused, key=lambda one: one.idle_since):
        connection.transport.abort()
