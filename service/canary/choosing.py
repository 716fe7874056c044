"""Which callers a candidate answers.

BLAKE2 places each caller's key between 0 and 1, and the candidate answers those below its share: who is in at 1% stays
in at 10, 50 and 100%. The models' names and versions are hashed with the key, so that the first callers of one canary
aren't those of the next; and as nothing else is, all workers and replicas choose alike.
"""

from hashlib import blake2b

GROUPS = 16  # of callers, by bits that have no say in who is chosen: callers of one group may be alike
_BYTES = 8
_PLACES = 2 ** (8 * _BYTES)


class Canary:
    """One candidate beside the champion, at one share."""

    def __init__(self, champion: str, candidate: str, share: float, key: bytes = b"") -> None:
        """Take the two versions, the share in 0..1, and what tells this model's canaries from others', its name."""
        self.champion, self.candidate, self.share = champion, candidate, share
        self._hash = blake2b(b"\0".join((key, champion.encode(), candidate.encode(), b"")), digest_size=_BYTES)
        self._limit: int = round(share * _PLACES)

    def place(self, caller: bytes) -> int:
        """Return where a caller's key lies."""
        hashed = self._hash.copy()  # half of what a new one costs
        hashed.update(caller)
        return int.from_bytes(hashed.digest(), "big")

    def takes(self, place: int) -> bool:
        """Return whether the candidate answers the callers who lie there."""
        return place < self._limit

    def choose(self, key: bytes) -> bool:
        """Return whether the candidate answers the caller with this key."""
        return self.takes(self.place(key))


def find_group(place: int) -> int:
    """Return the group of the callers who lie there."""
    return place % GROUPS
