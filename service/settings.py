"""What a deployment tunes: every setting's name, default and unit; all are environment variables."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from ekiben.contract.errors import UserError
from ekiben.contract.reference.alarms.setting import FALSE_ALARMS
from ekiben.service.connections.settings import ConnectionSettings
from ekiben.service.logs.choice import Format, Level
from ekiben.service.sources.address import parse_source


class InvalidSettings(UserError):
    """An environment variable holds something the service can't use."""


class Settings(ConnectionSettings):
    """The service's settings; each field is read from the variable of its name in capitals."""

    model_config = ConfigDict(frozen=True)

    model_name: str = Field(
        "",
        description="models in the BentoML store to serve, `a,b,c` or patterns such as `de_*`; the first answers calls "
        "that name none; optional if the store has only one",
    )
    model_digest: str = Field(
        "", description="required manifest digest of each model, in that order; the first start logs them"
    )
    reload: bool | None = Field(
        None,
        description="1: another version may take the served one's place while it serves: as `ekiben promote` and "
        "`rollback` choose it, at SIGHUP, and by the repository API. Default: 1 on a machine, 0 in an image and with "
        "`MODEL_DIGEST`, where the model stays what was signed",
    )
    max_models: int = Field(
        100,
        ge=1,
        description="models served at once; loading one more ends the one that was loaded on demand and not asked for "
        "longest, or is rejected with 507",
    )
    models_mib: int = Field(
        0, ge=0, description="memory of all models besides the first, MiB; default: what the container has for them"
    )
    models_folder: Path = Field(
        Path("/opt/ml/models"), description="folder that `POST /models` loads packed models from, as SageMaker does"
    )
    workers: int = Field(
        1, ge=1, description="number of worker processes on a bare machine; in a container, scale with replicas instead"
    )
    request_timeout_s: float = Field(10.0, gt=0, description="default deadline of a request, seconds")
    max_timeout_s: float = Field(60.0, gt=0, description="maximum deadline that a caller can set, seconds")
    max_request_rows: int = Field(20_000, ge=1, description="maximum rows in one request")
    unknown_fields: Literal["reject", "ignore"] = Field(
        "reject",
        description="`ignore`, for the time of a roll-out: fields of no feature are left out of the rows, and named in "
        "`X-Ignored-Columns` of the answer, rather than rejected with 400",
    )
    max_waiting_rows: int = Field(65_536, ge=1, description="maximum rows in the queue; requests over it get 429")
    max_explanation_rows: int = Field(
        262_144,
        ge=1,
        description="maximum rows that waiting explanations may cost the engine, 10 × (2 × features − 1) for each row "
        "to explain; a request over a quarter of it gets 413, requests over it 429",
    )
    max_wait_s: float = Field(
        1.0,
        gt=0,
        description="maximum queueing delay in seconds, before parsing and before inference; requests over it get 429; "
        "start at 0.4 × your latency SLO",
    )
    drain_delay_s: float = Field(
        3.0,
        ge=0,
        le=300,
        description="time to keep answering after SIGTERM, seconds: until load balancers have noticed; the platform's "
        "grace period must be longer, the log says how long",
    )
    log_format: Format = Field("text", description="`json`: each line is one JSON object, see `docs/logging.md`")
    log_level: Level = Field("info", description="the least that is logged: `debug`, `info`, `warning` or `error`")
    access_log_sample: float = Field(
        0.001,
        ge=0,
        le=1,
        description="fraction of answered requests that are logged; of those that the service failed all, up to 10/s: "
        "`docs/logging.md`",
    )

    triton_metrics: bool = Field(False, description="1: `/metrics` has Triton's names (`nv_inference_…`), too")
    old_metric_names: bool = Field(
        False,
        description="1: `/metrics` has the names of 0.2, without `ekiben_`, too; the next release drops this setting",
    )
    monitoring: bool = Field(True, description="0: don't count what the service sees; `/monitoring` then answers 404")
    false_alarms: float = Field(
        FALSE_ALARMS,
        ge=0,
        allow_inf_nan=False,
        description="false alarms a month that are put up with; more of them make alarms earlier",
    )

    challenger: str = Field(
        "",
        description="version in the BentoML store that answers in the shadow of the served one, to compare them; "
        "`challenger`: the one that `ekiben train` packed last as not better",
    )

    log_sample: float = Field(0.0, ge=0, le=1, description="share of the answered rows that the row log keeps")
    log_folder: str = Field(
        "",
        description="folder of logged rows and labels, of models besides the first in folders of their names in it; or "
        "`s3://…`, `gs://…`, `abfs://…` if fsspec's library for it is installed; default: `data/log` here or in "
        "`EKIBEN_HOME`",
    )
    log_hash_key: SecretStr = Field(
        SecretStr(""), description='key of the hashes that the log keeps of features with `log = "hash"`'
    )

    canary_header: str = Field(
        "x-canary-key",
        pattern=r"^[0-9A-Za-z._-]+$",
        description="header, over gRPC metadata, whose value names a caller to whom a canary always gives the same "
        "version; without it `X-Request-Id` does",
    )
    model_source: str = Field(
        "",
        description="`models:/NAME@ALIAS` of the MLflow registry at `MLFLOW_TRACKING_URI`: the version that the alias "
        "names takes the served one's place, whenever it moves",
    )
    registry_poll_s: float = Field(30.0, ge=1, le=86_400, description="time between two looks at it, seconds")
    registry_secret: SecretStr = Field(
        SecretStr(""), description="secret of the registry's webhook, a call of which makes the service look at once"
    )

    @property
    def reloads(self) -> bool:
        """Whether another version may take the served one's place."""
        if self.reload is None:
            return not (self.model_digest or os.environ.get("BENTOML_CONTAINERIZED"))
        return self.reload

    @property
    def loads_folders(self) -> bool:
        """Whether models may be loaded as SageMaker does, which sets a variable where it is to."""
        return self.reloads or os.environ.get("SAGEMAKER_MULTI_MODEL") == "true"

    @field_validator("model_source")
    @classmethod
    def check_source(cls, source: str) -> str:
        """Reject what names no alias of a registered model."""
        if source:
            parse_source(source)
        return source

    @model_validator(mode="after")
    def check_limits(self) -> Self:
        """Reject a default deadline that no caller would get, and a queue that the largest request never fits into."""
        if self.request_timeout_s > self.max_timeout_s:
            raise ValueError(
                f"REQUEST_TIMEOUT_S={self.request_timeout_s:g} must be at most MAX_TIMEOUT_S={self.max_timeout_s:g}"
            )
        if self.max_waiting_rows < self.max_request_rows:
            raise ValueError(
                f"MAX_WAITING_ROWS={self.max_waiting_rows} must be at least MAX_REQUEST_ROWS={self.max_request_rows}"
            )
        return self
