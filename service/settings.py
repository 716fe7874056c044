"""What a deployment tunes: every setting's name, default and unit; all are environment variables."""

import os
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.errors import UserError


class InvalidSettings(UserError):
    """An environment variable holds something the service can't use."""


class Settings(BaseModel):
    """The service's settings; each field is read from the variable of its name in capitals."""

    model_config = ConfigDict(frozen=True)

    model_name: str = Field("", description="which model of the BentoML store to serve; may be left out if it has one")
    port: int = Field(8080, ge=1, le=65535, description="the HTTP port")
    workers: int = Field(1, ge=1, description="processes on a bare machine; in a container scale with replicas")
    request_timeout_s: float = Field(10.0, gt=0, description="deadline of a request that names none, seconds")
    max_body_bytes: int = Field(8 * 2**20, ge=1, description="largest request body, bytes")
    max_request_rows: int = Field(20_000, ge=1, description="most rows in one request")
    max_waiting_rows: int = Field(65_536, ge=1, description="most rows in the queue; beyond, requests get 429")
    drain_delay_s: float = Field(3.0, ge=0, le=5, description="how long to keep answering after SIGTERM, seconds")
    access_log_sample: float = Field(0.001, ge=0, le=1, description="share of answered requests that are logged")

    @model_validator(mode="after")
    def check_room(self) -> Self:
        """Refuse a queue that the largest request would never fit into."""
        if self.max_waiting_rows < self.max_request_rows:
            raise ValueError(f"must be at least MAX_REQUEST_ROWS, {self.max_request_rows}")
        return self


def read_settings() -> Settings:
    """Read the settings from the environment; raise InvalidSettings naming the variable that is wrong."""
    given = {name: os.environ[name.upper()] for name in Settings.model_fields if os.environ.get(name.upper())}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "max_waiting_rows"
        raise InvalidSettings(f"{name.upper()}={given.get(name, 'default')!r}: {first['msg']}") from None
