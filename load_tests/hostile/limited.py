"""Becomes a Python module under limits: `python -m ekiben.load_tests.hostile.limited MIB FILES MODULE [ARGUMENT …]`.

Linux declares RLIMIT_RSS (`ulimit -m`) to a process without enforcing it: the service reads it as its
memory, and the load test ends a service that goes beyond it, as a container's kernel would.
"""

import os
import resource
import sys

MIB = 2**20


def main(arguments: list[str]) -> None:
    """Set the limits of memory and, unless it is 0, of open files; then run the module in this process."""
    mib, files, *command = arguments
    resource.setrlimit(resource.RLIMIT_RSS, (int(mib) * MIB, int(mib) * MIB))
    if int(files):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(files), int(files)))
    os.execv(sys.executable, [sys.executable, "-m", *command])


if __name__ == "__main__":
    main(sys.argv[1:])
