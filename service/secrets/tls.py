"""The certificate of this process's ports, and what each new connection is shown of it."""

import logging
import ssl
import time
from typing import Any

import uvicorn.config

from ekiben.service.secrets.certificates import Certificate, TlsPaths, load_certificate, read_files
from ekiben.service.secrets.renewal import Renewal
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")
KEPT = "the certificate that was read before stays in use"


class Tls:
    """Makes what servers take for TLS; belongs to one event loop."""

    def __init__(self, paths: TlsPaths) -> None:
        """Raises ValueError if the files can't be used."""
        self._paths, self._files = paths, read_files(paths)
        self.current = load_certificate(paths, self._files)

    @property
    def mutual(self) -> bool:
        """Whether callers must show a certificate."""
        return self._paths.client_ca is not None

    def serve_http(self) -> None:
        """Let uvicorn speak TLS with what is current, which must not have been started yet."""
        # BentoML hands on names of files, and uvicorn makes its context of them with this function.
        replaced: Any = uvicorn.config
        replaced.create_ssl_context = lambda **_: self.make_context()

    def make_context(self) -> ssl.SSLContext:
        """Return a context whose connections get the current one: it is asked before anything is sent to a client."""
        self.current.context.sni_callback = self._hand_over
        return self.current.context

    def watch(self) -> Renewal[Any, Certificate]:
        """Say which certificate is in use, and return what looks after its files."""
        self._note(self.current)
        if self.current.expiry_s < time.time():
            logger.error("the certificate expired at %s: clients that verify it refuse it", self.current.expiry)

        def make(files: Any) -> Certificate:
            certificate = load_certificate(self._paths, files)
            if certificate.expiry_s < time.time():
                raise ValueError(f"the certificate in {str(self._paths.certificate)!r} expired at {certificate.expiry}")
            return certificate

        return Renewal(KEPT, self._files, lambda: read_files(self._paths), make, self._use)

    def _use(self, certificate: Certificate) -> None:
        self.current = certificate
        self._note(certificate)

    def _note(self, certificate: Certificate) -> None:
        shown = "callers must show one too" if self.mutual else "callers need none"
        logger.info("TLS: certificate of %s, expires %s; %s", certificate.subject, certificate.expiry, shown)
        metrics.set_certificate_expiry(str(self._paths.certificate), certificate.expiry_s)

    def _hand_over(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self.current.context
