"""Which platform runs this process: told by the variables it sets, or by how it started the container."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True)
class Platform:
    """What runs the service, and what that means to it."""

    name: str
    reason: str = ""  # how it was recognised
    one_port: bool = False  # only the HTTP port is reached from outside
    plain_http: bool = False  # TLS ends before the container
    keeps_authorization: bool = True  # the caller's Authorization header arrives


UNKNOWN = Platform("unknown")
SAGEMAKER = Platform("SageMaker", one_port=True, plain_http=True, keeps_authorization=False)
SERVE_COMMAND = (
    "ekiben.service",
    "serve",
)  # `serve` after the image's own entry point: all that SageMaker says of itself

# By how variables begin; the most particular first: Knative's and Azure's containers run on Kubernetes too.
SIGNS = (
    ("AIP_MODE", Platform("Vertex AI", one_port=True, plain_http=True)),
    ("SAGEMAKER_", SAGEMAKER),
    ("AZUREML_", Platform("Azure ML", one_port=True, plain_http=True)),
    ("K_SERVICE", Platform("Cloud Run or Knative", one_port=True, plain_http=True)),
    ("ECS_CONTAINER_METADATA_URI", Platform("Amazon ECS")),
    ("KUBERNETES_SERVICE_HOST", Platform("Kubernetes")),
)


def recognise_platform(environment: Mapping[str, str], arguments: Sequence[str]) -> Platform:
    """Return the platform that the variables, or else the container's arguments, give away."""
    present = sorted(name for name, value in environment.items() if value)
    for sign, platform in SIGNS:
        for name in present:
            if name.startswith(sign):
                return replace(platform, reason=f"{name} is set")
    if SERVE_COMMAND in pairwise(arguments):
        return replace(SAGEMAKER, reason=f"it was started with `{SERVE_COMMAND[1]}`")
    return UNKNOWN
