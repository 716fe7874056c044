"""How many connections this process may open."""

import resource


def raise_file_limit() -> None:
    """Let this process open as many connections as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
