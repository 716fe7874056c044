"""What there is to say of a canary: as JSON, as a page for people, and as the few series that Prometheus reads."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from ekiben.contract.page import render_document
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.state import CanaryState


def describe(model: str, conductor: Conductor) -> dict[str, Any]:
    """Return a model's canary as JSON will hold it."""
    state = conductor.state
    if state is None:
        return {"model": model, "status": "none", "share": 0.0}
    return {"model": model, **state.model_dump(), "guardrails": conductor.report}


def render_page(canaries: Iterable[Mapping[str, Any]]) -> str:
    """Return the canaries that `describe` describes as HTML; whatever reasons hold is text in it."""
    return render_document("canary", "\n".join(map(_render_canary, canaries)))


def _render_canary(canary: Mapping[str, Any]) -> str:
    head = f"<h1>{escape(canary['model'])}: canary</h1>"
    if canary["status"] == "none":
        return f"{head}<p>There has been none since the service was started.</p>"
    bad = "large" if canary["status"] == "stepped back" else ""
    cards = "".join(map(_render_guardrail, canary["guardrails"]))
    return f'{head}<p class="{bad}"><b>{escape(_summarize(canary))}</b></p><div class="cards">{cards}</div>'


def _summarize(canary: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(canary["changed"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if canary["reason"]:
        return f"{canary['status']}, {moment}: {canary['reason']}"
    share, others = 100 * canary["share"], f"version {canary['champion']} the others"
    return f"version {canary['candidate']} answers {share:.3g}% of the callers since {moment}, {others}"


def _render_guardrail(guardrail: Mapping[str, Any]) -> str:
    numbers = {name: one for name, one in guardrail.items() if name not in ("name", "about", "progress")}
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(_show(one))}</td></tr>" for name, one in numbers.items())
    return (
        f'<section class="card"><h3>{escape(guardrail["name"])}</h3><p class="soft">{escape(guardrail["about"])}</p>'
        f"<p>{guardrail['progress']:.0%} of what makes it step back</p><table>{rows}</table></section>"
    )


def _show(value: Any) -> str:
    return ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else str(value)


class CanaryCollector(Collector):
    """Gives the shares and the step-backs: what all workers agree on, so that nothing has to be added up."""

    def __init__(self, states: Mapping[str, CanaryState]) -> None:
        self._states = states

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        """Yield a series for each model, and one for each guardrail that stepped back."""
        share = GaugeMetricFamily(
            "ekiben_canary_share", "Share of the callers whom a candidate answers.", labels=["model"]
        )
        about = "Candidates that a guardrail gave no more callers."
        step_backs = CounterMetricFamily("ekiben_canary_step_backs", about, labels=["model", "guardrail"])
        for model, state in self._states.items():
            share.add_metric([model], state.share if state.running else 0.0)
            for guardrail, count in state.step_backs.items():
                step_backs.add_metric([model, guardrail], count)
        yield share
        yield step_backs


def render_series(states: Mapping[str, CanaryState]) -> bytes:
    """Return the series as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(CanaryCollector(states))
    return generate_latest(registry)
