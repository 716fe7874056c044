"""The bearer tokens that are valid: of AUTH_TOKEN, or one a line of AUTH_TOKEN_FILE. No sentence holds one."""

from collections.abc import Sequence
from pathlib import Path

from ekiben.service.secrets.reading import read_secret

NAME = "AUTH_TOKEN_FILE"
MAX_TOKENS = 100
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # which editors of Windows write
UNSENDABLE = "holds a space, a line break or what is not ASCII: no header can carry that"


def find_tokens(token: str, path: Path | None) -> tuple[bytes, ...]:
    """Return the valid tokens, none if none is asked for; raise ValueError if the file can't be used."""
    if path is not None:
        return read_tokens(path)
    return (token.encode(),) if token else ()


def read_tokens(path: Path) -> tuple[bytes, ...]:
    """Return the file's tokens, at least one; raise ValueError if it can't be used."""
    lines = read_secret(NAME, path, "file of tokens").removeprefix(BYTE_ORDER_MARK).split(b"\n")
    tokens: dict[bytes, None] = {}
    for number, line in enumerate(lines, 1):
        token = line.strip()
        if not token or token.startswith(b"#"):
            continue
        if not is_sendable(token):
            raise ValueError(f"line {number} of {NAME}={str(path)!r} {UNSENDABLE}")
        tokens[token] = None
    _check_count(path, list(tokens))
    return tuple(tokens)


def is_sendable(token: bytes) -> bool:
    """Return whether a header and gRPC metadata can carry the token."""
    return all(0x21 <= byte <= 0x7E for byte in token)


def _check_count(path: Path, tokens: Sequence[bytes]) -> None:
    if not tokens:
        raise ValueError(f"{NAME}={str(path)!r} holds no token: write one a line")
    if len(tokens) > MAX_TOKENS:
        raise ValueError(f"{NAME}={str(path)!r} holds {len(tokens)} tokens: keep at most {MAX_TOKENS}")
