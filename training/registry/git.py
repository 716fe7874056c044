"""Which commit the working folder stands at: said of each run, each packed model and each image."""

import subprocess

UNKNOWN = "unknown"


def git_commit() -> str:
    """Return the commit the working folder stands at, with + where files differ from it; UNKNOWN outside git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
    return described.stdout.strip()
