"""What services say of a version that answers in the champion's shadow, to what callers really send."""

import time
from collections.abc import Callable, Sequence

from ekiben.contract.comparison.comparison_text import describe_decision
from ekiben.contract.comparison.judgement import Judgement
from ekiben.contract.errors import UserError
from ekiben.monitoring.comparison import judge_sources
from ekiben.pipeline.record import Verdict, go, stop

GATE = "shadow"
POLL_S = 30.0
POLLS = 20  # at least, of a short time
Ask = Callable[[Sequence[str]], Judgement]


def judge_shadow(services: Sequence[str], version: str, hours: float, ask: Ask = judge_sources) -> Verdict:
    """Ask the services until the comparison decides, or the hours are over.

    "worse" stops the run; without a decision there is nothing against the version. Services that did not compare it at
    all stop it: of what is not there nothing follows.
    """
    deadline = time.monotonic() + hours * 3600
    while True:
        judgement, why_not = _ask(services, version, ask)
        if judgement is not None and judgement.decision == "worse":
            return stop(GATE, f"in the shadow version {version} is {describe_decision(judgement)}")
        if judgement is not None and judgement.decision == "better":
            return go(GATE, f"in the shadow version {version} is {describe_decision(judgement)}")
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, POLL_S, hours * 3600 / POLLS))
    if judgement is not None and judgement.total.compared:
        rows = f"{judgement.total.compared:,} rows in {hours:g} h"
        return go(GATE, f"in the shadow nothing was found against version {version}, over {rows}")
    advice = "start them again with CHALLENGER=challenger, or raise shadow_hours"
    return stop(GATE, f"no service compared version {version} within {hours:g} h ({why_not}): {advice}")


def _ask(services: Sequence[str], version: str, ask: Ask) -> tuple[Judgement | None, str]:
    """Return what the services say of the version, or why they say nothing of it."""
    try:
        judgement = ask(services)
    except UserError as error:
        return None, str(error)
    compared = judgement.comparison.challenger.version
    if compared != version:
        return None, f"they compare version {compared}"
    return judgement, "no row was compared"
