"""Authenticates callers by bearer token, if one is set."""

import hmac
from collections.abc import Sequence

from ekiben.service.errors import BadRequest

SCHEME = b"bearer "
ANONYMOUS = "ekiben.anonymous"  # in the scope of a probe that came without the token


class Authenticator:
    """Checks the `authorization` header against the token; an empty token accepts everybody."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @property
    def required(self) -> bool:
        """Whether a token is required."""
        return bool(self._token)

    def check(self, authorizations: Sequence[bytes]) -> None:
        """Raise BadRequest unless the one header of that name holds the token."""
        said = "is missing"
        if len(authorizations) > 1:
            said = "was sent more than once"
        elif authorizations:
            if self._fits(authorizations[0]):
                return
            said = "is wrong"
        sentence = f"the bearer token {said}: send the header `Authorization: Bearer …`"
        raise BadRequest(401, sentence, (b"www-authenticate", b"Bearer"))

    def accepts(self, authorizations: Sequence[bytes]) -> bool:
        """Return whether the one header of that name holds the token, or none is asked for."""
        return not self.required or (len(authorizations) == 1 and self._fits(authorizations[0]))

    def _fits(self, authorization: bytes) -> bool:
        scheme, token = authorization[: len(SCHEME)].lower(), authorization[len(SCHEME) :].strip()
        return scheme == SCHEME and hmac.compare_digest(token, self._token)
