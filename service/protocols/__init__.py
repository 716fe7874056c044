"""One module or folder per protocol: decode → dataplane → encode. What is listed here is served."""

from collections.abc import Callable

from ekiben.service.dataplane import Dataplane
from ekiben.service.protocols import explain, invocations, open_inference, predict, probes, tensorflow_serving, vertex
from ekiben.service.protocols.protocol import Protocol
from ekiben.service.settings import Settings

PROTOCOLS: tuple[Callable[[Dataplane, Settings], Protocol], ...] = (
    predict.build_protocol,
    explain.build_protocol,
    open_inference.build_protocol,
    tensorflow_serving.build_protocol,
    vertex.build_protocol,
    invocations.build_protocol,
    probes.build_protocol,
)
