"""Keeps the number of connections below what the process may open: the ones idle for longest are closed first."""

import heapq
import resource
from collections.abc import Collection
from typing import Any

OTHER_FILES = 32  # for the model, logs, metrics and processes that read bodies
MAX_GRPC, GRPC_SHARE = 1000, 4  # connections, and of the files one in so many at most
SHARE = 20  # one in so many is closed at once, so that a flood of connections does not sort them all each time
MIN_CONNECTIONS = 16


def find_limit(wanted: int) -> int:
    """Raise the limit of open files as far as it is needed and allowed; return how many connections there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + MAX_GRPC + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, soft - find_grpc_limit() - OTHER_FILES), MIN_CONNECTIONS)


def find_grpc_limit() -> int:
    """Return how many gRPC connections there may be; gRPC itself takes no more."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_GRPC if soft == resource.RLIM_INFINITY else max(1, min(MAX_GRPC, soft // GRPC_SHARE))


def close_longest_idle(connections: Collection[Any]) -> None:
    """Close the connections that have been without a request for longest, or a head that has been arriving for longest.

    A connection whose request is being answered is left alone.
    """
    unused = [connection for connection in connections if connection.is_answered()]
    for connection in heapq.nsmallest(len(connections) // SHARE + 1, unused, key=lambda one: one.idle_since):
        connection.transport.abort()
