"""What all calls of a server share."""

import asyncio

from ekiben.service.connections.admission import AdmissionController
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.grpc.native.timers import Arrivals, Deadlines


class Shared:
    """Made once; belongs to one event loop."""

    def __init__(self, admission: AdmissionController, budget: ByteBudget, max_bytes: int) -> None:
        """`max_bytes`: of a message."""
        self.admission = admission
        self.deadlines = Deadlines()
        self.arrivals = Arrivals(budget, max_bytes, self.deadlines)
        self.loop = asyncio.get_running_loop()
