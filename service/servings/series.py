"""What Prometheus reads of all models: of each name there may be one list of series, so they are made together."""

import asyncio
from collections.abc import Callable, Mapping

from ekiben.contract.comparison.comparison import Comparison
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.description import render_series as render_canaries
from ekiben.service.monitoring.series import Judge
from ekiben.service.monitoring.series import render_series as render_monitoring
from ekiben.service.servings.servings import Servings
from ekiben.service.shadow.series import render_series as render_challengers
from ekiben.service.telemetry.build_info import BuildSeries
from ekiben.service.telemetry.processes import ProcessSeries, find_processes


async def prepare_series(
    servings: Servings, conductors: Mapping[str, Conductor], build: BuildSeries, processes: ProcessSeries
) -> Callable[[], bytes]:
    """Return what makes the series, in any thread, of the service itself and of what each model's version sees."""
    judges: dict[str, Judge] = {}
    compared: dict[str, Comparison] = {}
    for versions in list(servings.models):
        serving = versions.current
        if serving.watching.prepare_series:
            judges[versions.name] = serving.watching.prepare_series()
        if serving.challenger and serving.challenger.overview:
            compared[versions.name] = serving.challenger.overview.compare()
        await asyncio.sleep(0)  # of fifty models it would be 20 ms in which nobody gets an answer
    model, pids = servings.default.current.model, find_processes()
    states = {model: conductor.state for model, conductor in conductors.items() if conductor.state}

    def render() -> bytes:
        itself = build.render(model) + processes.render(pids)
        seen = render_monitoring(judges) if judges else b""
        canaries = render_canaries(states) if states else b""
        return itself + seen + canaries + (render_challengers(compared) if compared else b"")

    return render
