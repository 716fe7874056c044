"""What a deployment sets of tokens and certificates; ekiben.service.settings has all others."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, model_validator

from ekiben.service.secrets import checking
from ekiben.service.secrets.certificates import TlsPaths


class SecretSettings(BaseModel):
    """The settings of who is let in."""

    model_config = ConfigDict(frozen=True)

    auth_token: SecretStr = Field(
        SecretStr(""),
        description="bearer token required on every call except probes and the files of the two pages, which hold "
        "nothing of the model",
    )
    auth_token_file: Path | None = Field(
        None, description="file of such tokens, one a line, each of which is valid; read again when it changes"
    )
    tls_cert_file: Path | None = Field(
        None,
        description="PEM certificate chain; HTTP and gRPC then accept TLS only; read again when it changes, as are the "
        "next two",
    )
    tls_key_file: Path | None = Field(None, description="PEM private key of that certificate")
    tls_client_ca_file: Path | None = Field(
        None, description="PEM certificates of the authorities one of which callers' own must be from, except probes'"
    )

    @property
    def guarded(self) -> bool:
        """Whether callers need a token."""
        return bool(self.auth_token.get_secret_value() or self.auth_token_file)

    @property
    def tls(self) -> TlsPaths | None:
        """The files of TLS, None without it."""
        if self.tls_cert_file is None or self.tls_key_file is None:
            return None
        return TlsPaths(self.tls_cert_file, self.tls_key_file, self.tls_client_ca_file)

    @property
    def ssl(self) -> dict[str, Any]:
        """TLS as BentoML's service decorator takes it."""
        if self.tls_cert_file is None:
            return {"enabled": False}
        return {"enabled": True, "certfile": str(self.tls_cert_file), "keyfile": str(self.tls_key_file)}

    @model_validator(mode="after")
    def check_secrets(self, given: ValidationInfo) -> Self:
        """Reject tokens and files that can't be used; no message holds a token."""
        checking.check_token(self.auth_token.get_secret_value(), self.auth_token_file)
        checking.check_tls(self.tls_cert_file, self.tls_key_file, self.tls_client_ca_file)
        if not (given.context or {}).get(checking.UNREAD):
            checking.read_all(self.auth_token_file, self.tls)
        return self
