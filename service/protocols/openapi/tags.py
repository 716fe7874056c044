"""The groups of routes in the document, in the order in which a reader wants them: one for each protocol."""

from collections.abc import Iterable
from typing import NamedTuple


class Tag(NamedTuple):
    """What a group is called, and what is in it."""

    title: str
    about: str


TAGS = {
    "predict": Tag("Predict", "Rows in, predictions out."),
    "explain": Tag("Explain", "Rows in; out comes what each feature adds to a prediction."),
    "page": Tag("Page", "What the page at / is made from: the model, its card, where it comes from."),
    "playground": Tag("Playground", "What the page at / asks; what is tried there counts as no traffic."),
    "open_inference": Tag(
        "Open Inference",
        "The Open Inference Protocol, as clients of KServe V2, Triton and MLServer call it; with Triton's extensions "
        "for configuration, statistics and the model repository. Over gRPC: `inference.GRPCInferenceService`.",
    ),
    "tensorflow_serving": Tag(
        "TensorFlow Serving",
        "TensorFlow Serving's REST API, and KServe V1 on the same paths. "
        "Over gRPC: `tensorflow.serving.PredictionService` and `ModelService`.",
    ),
    "vertex": Tag("Vertex AI", "The routes that Vertex AI chose, in the environment's `AIP_…`."),
    "invocations": Tag("Invocations", "As MLflow's scoring server and SageMaker call it: JSON, CSV and Parquet."),
    "feedback": Tag("Feedback", "What came true, sent once it is known. Over gRPC: `ekiben.v1.Feedback`."),
    "monitoring": Tag("Monitoring", "What is answered now beside what training saw."),
    "challenger": Tag("Challenger", "A version that answers the same rows in the shadow, for comparison only."),
    "canary": Tag("Canary", "A version that answers a share of the callers."),
    "sagemaker": Tag("SageMaker", "SageMaker's contract for a container of several models."),
    "registry": Tag("Registry", "What a model registry calls when an alias moves."),
    "probes": Tag("Probes", "What platforms ask before they send traffic; none needs a token."),
    "metrics": Tag("Metrics", "What Prometheus reads."),
    "document": Tag("Reference", "This document, and the page that shows it."),
}
SAME = {"reference": "document", "front_door": "document"}  # protocols that share a tag


def find_tag(protocol: str) -> Tag:
    """Return a protocol's tag; one that nobody described has its name."""
    return TAGS.get(SAME.get(protocol, protocol), Tag(protocol, ""))


def describe_tags(protocols: Iterable[str]) -> list[dict[str, str]]:
    """Return OpenAPI's tag objects of these protocols."""
    known = list(TAGS)
    wanted = {SAME.get(name, name): find_tag(name) for name in protocols}
    ordered = sorted(wanted, key=lambda name: known.index(name) if name in known else len(known))
    return [{"name": wanted[name].title, "description": wanted[name].about} for name in ordered]
