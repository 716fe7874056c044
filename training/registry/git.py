"""Which commit the working folder stands at: said of each run, each packed model and each image."""

import hashlib
import re
import subprocess
from dataclasses import dataclass

UNKNOWN = "unknown"
# https://LOGIN@HOST/PATH, and git's own LOGIN@HOST:PATH.
REMOTE = re.compile(r"(?:https?|ssh|git)://(?:[^/@]*@)?(?P<host>[^/:@]+(?::\d+)?)/(?P<path>\S+)")
SSH_REMOTE = re.compile(r"(?:[^/@:\s]+@)(?P<host>[^/:@\s]+):(?P<path>\S+)")
MAX_PATCH_BYTES = 4 * 2**20
BLOCK_BYTES = 2**16
# Whatever a user's configuration says, the patch is one that `git apply` takes.
DIFF = (
    "git", "-c", "core.quotePath=true", "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false",
    "diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative", "HEAD",
)  # fmt: skip


@dataclass(frozen=True)
class Patch:
    """How the files that git knows differ from the commit."""

    digest: str  # SHA-256
    content: bytes | None  # None if it has more than MAX_PATCH_BYTES


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


def read_commit_time() -> int | None:
    """Return when the commit was made, in seconds since 1970; None outside git."""
    said = _ask("log", "-1", "--format=%ct")
    return int(said) if said else None


def read_remote() -> str:
    """Return the address of the repository `origin` as a browser takes it; "" if there is none, or it is a folder.

    A login in it is left out.
    """
    return to_web_address(_ask("remote", "get-url", "origin"))


def to_web_address(remote: str) -> str:
    """Return https://HOST/PATH of git's address of a repository, "" of one that is on no other machine."""
    found = REMOTE.fullmatch(remote) or SSH_REMOTE.fullmatch(remote)
    return f"https://{found['host']}/{found['path'].removesuffix('/').removesuffix('.git')}" if found else ""


def _ask(*arguments: str) -> str:
    """Return what git prints, "" if it fails or is not there."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def read_patch() -> Patch | None:
    """Return how files differ from the commit that the working folder stands at; None if they don't, or outside git."""
    digest, kept, size = hashlib.sha256(), bytearray(), 0
    try:
        with subprocess.Popen(DIFF, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout
            while block := process.stdout.read(BLOCK_BYTES):
                digest.update(block)
                size += len(block)
                if size <= MAX_PATCH_BYTES:
                    kept += block
    except OSError:
        return None
    if process.returncode or not size:
        return None
    return Patch(digest.hexdigest(), bytes(kept) if size <= MAX_PATCH_BYTES else None)
