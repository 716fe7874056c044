"""Authenticates callers by bearer token, if any is set."""

import hmac
from collections.abc import Iterable, Sequence

from ekiben.service.errors import BadRequest

SCHEME = b"bearer "
NO_CERTIFICATE = "the client showed no certificate: connect with one of an authority that the service trusts"
ANONYMOUS = "ekiben.anonymous"  # in the scope of a probe that came without the token
UNCERTIFIED = "ekiben.uncertified"  # in its state, where callers must show a certificate and this one has none


class Authenticator:
    """Checks the `authorization` header against the valid tokens; without any it accepts everybody."""

    def __init__(self, tokens: Iterable[bytes] = ()) -> None:
        self._tokens = tuple(tokens)
        self.required = bool(self._tokens)  # for good: a door that was closed is never opened

    def replace(self, tokens: Iterable[bytes]) -> None:
        """Let these tokens be the valid ones from now on."""
        self._tokens = tuple(tokens)

    def check(self, authorizations: Sequence[bytes]) -> None:
        """Raise BadRequest unless the one header of that name holds a valid token."""
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
        """Return whether the one header of that name holds a valid token, or none is asked for."""
        return not self.required or (len(authorizations) == 1 and self._fits(authorizations[0]))

    def _fits(self, authorization: bytes) -> bool:
        scheme, token = authorization[: len(SCHEME)].lower(), authorization[len(SCHEME) :].strip()
        fits = False
        for valid in self._tokens:  # all of them, so that the time tells nothing
            fits |= hmac.compare_digest(token, valid)
        return fits and scheme == SCHEME
