"""One module or folder per dialect: decode → dataplane → encode. What is listed here is served."""

from collections.abc import Callable

from service.dataplane import Dataplane
from service.dialect import Dialect
from service.protocols import invocations, open_inference, predict, probes, tensorflow_serving, vertex
from service.settings import Settings

DIALECTS: tuple[Callable[[Dataplane, Settings], Dialect], ...] = (
    predict.dialect,
    open_inference.dialect,
    tensorflow_serving.dialect,
    vertex.dialect,
    invocations.dialect,
    probes.dialect,
)
