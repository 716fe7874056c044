"""One module or folder per dialect: decode → dataplane → encode. What is listed here is served."""

from collections.abc import Callable

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols import invocations, open_inference, predict, probes, tensorflow_serving, vertex
from ekiben.service.protocols.protocol import Dialect
from ekiben.service.settings import Settings

DIALECTS: tuple[Callable[[Dataplane, Settings], Dialect], ...] = (
    predict.dialect,
    open_inference.dialect,
    tensorflow_serving.dialect,
    vertex.dialect,
    invocations.dialect,
    probes.dialect,
)
