"""What BentoML answers itself, behind our front door."""

from ekiben.service.http.messages import Request
from ekiben.service.protocols.openapi import JSON, STRING, TEXT
from ekiben.service.protocols.protocol import Operation, Protocol, Route

ALIVE = Operation("Liveness, as Kubernetes probes it", response={TEXT: STRING})
READY = Operation("Readiness, as Kubernetes probes it", response={TEXT: STRING}, errors=(503,))
SCHEMA = Operation("What BentoML's client asks before it calls", response={JSON: {"type": "object"}})


async def _fall_through(request: Request) -> bytes:
    raise NotImplementedError  # never mounted: it is described only


BENTOML = Protocol(
    "probes",
    (
        Route("GET", "/livez", _fall_through, probe=True, operation=ALIVE),
        Route("GET", "/readyz", _fall_through, probe=True, operation=READY),
        Route("GET", "/healthz", _fall_through, probe=True, operation=ALIVE),
        Route("GET", "/schema.json", _fall_through, operation=SCHEMA),
    ),
)
