"""Every protocol at once for a long time, with bad callers among the good: `ekiben soak`.

Good answers are compared with training's, bad requests must be told so, be they small or of thousands
of rows, callers that drip their body or hang up must hurt nobody, and the resident memory must stay
where it is.
"""

import asyncio
from pathlib import Path

from ekiben.load_tests.generator.cpu_affinity import running_on, split_cores
from ekiben.load_tests.requests.service_under_test import find_source
from ekiben.load_tests.servers.own_service import serve
from ekiben.load_tests.servers.start import GRPC_OFFSET
from ekiben.load_tests.soak_callers import CALLERS, GRPC, HTTP, Soak
from ekiben.load_tests.soak_verdict import report


def run(port: int, minutes: float, folder: Path) -> int:
    """Soak a service that is started here; print the verdict and return 1 if a demand was missed."""
    split = split_cores(1)
    with serve(1, port, folder, split) as (service, process), running_on(split.generator):
        source = find_source(service)
        print(f"{minutes:g} minutes, {CALLERS} callers of each of {len(HTTP) + len(GRPC)} dialects; {source.origin}")
        result = asyncio.run(Soak(service, source, port + GRPC_OFFSET, process, 60 * minutes).run())
    return report(result, minutes)
