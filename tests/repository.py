"""A git repository of a test's own: what is said of a commit must not depend on this one's state."""

import subprocess
from pathlib import Path

AUTHOR = ("-c", "user.name=test", "-c", "user.email=test@example.org")


def git(folder: Path, *arguments: str) -> bytes:
    """Run git in a folder, and return what it printed."""
    return subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True).stdout


def begin_repository(folder: Path) -> None:
    """Make a folder a repository, whose first commit has the files that are there."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "Begin")
