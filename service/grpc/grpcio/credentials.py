"""TLS as grpcio takes it: it asks with each connection whether there is another certificate."""

from typing import Any

import grpc

from ekiben.service.secrets.certificates import Certificate
from ekiben.service.secrets.tls import Tls


class Credentials:
    """Hands on what is current; a thread of grpcio's calls `fetch`."""

    def __init__(self, tls: Tls) -> None:
        self._tls, self._told = tls, tls.current

    def make(self) -> grpc.ServerCredentials:
        """Return grpcio's credentials."""
        return grpc.dynamic_ssl_server_credentials(configure(self._told), self.fetch, self._tls.mutual)

    def fetch(self) -> Any:
        """Return grpcio's configuration if it is another than the last one."""
        current = self._tls.current
        if current is self._told:
            return None
        self._told = current
        return configure(current)


def configure(certificate: Certificate) -> Any:
    """Return a certificate in the form that grpcio takes."""
    files = certificate.files
    return grpc.ssl_server_certificate_configuration([(files.key, files.certificate)], files.client_ca)
