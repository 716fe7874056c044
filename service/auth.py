"""Lets only callers in that know the token, if one is set."""

import hmac

from service.errors import BadRequest

SCHEME = b"bearer "


class Guard:
    """Compares a request's `authorization` with the token; an empty token lets everybody in."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @property
    def closed(self) -> bool:
        """Whether there is a token to ask for."""
        return bool(self._token)

    def check(self, authorization: bytes | None) -> None:
        """Raise BadRequest unless the header holds the token."""
        given = authorization or b""
        scheme, token = given[: len(SCHEME)].lower(), given[len(SCHEME) :].strip()
        if scheme != SCHEME or not hmac.compare_digest(token, self._token):
            said = "is not the right one" if authorization else "is missing"
            sentence = f"the bearer token {said}: send the header `Authorization: Bearer …`"
            raise BadRequest(401, sentence, (b"www-authenticate", b"Bearer"))
