"""What services say of a version that answers in the champion's shadow, to what callers really send."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ekiben.contract.comparison.comparison import Comparison
from ekiben.contract.comparison.comparison_text import describe_decision
from ekiben.contract.comparison.judgement import Judgement
from ekiben.contract.errors import UserError
from ekiben.monitoring.comparison import judge_sources
from ekiben.pipeline.records.record import Verdict, go, stop

GATE = "shadow"
POLL_S = 30.0
POLLS = 20  # at least, of a short time
Ask = Callable[[Sequence[str]], Judgement]


@dataclass(frozen=True)
class Pair:
    """Which two versions of which model are to be compared; digests are of manifests."""

    model: str
    champion: str
    challenger: str
    digest: str  # the challenger's

    def find_other(self, found: Comparison) -> str:
        """Return which others services compare, "" if they compare these."""
        said = found.model, found.champion.version, found.challenger.version
        if said == (self.model, self.champion, self.challenger) and found.challenger.digest == self.digest:
            return ""
        other = ", but not this one" if said[2] == self.challenger else ""
        return f"they compare version {said[2]}{other} with version {said[1]} of {said[0]}"


def judge_shadow(services: Sequence[str], pair: Pair, hours: float, ask: Ask = judge_sources) -> Verdict:
    """Ask the services until the comparison decides, or the hours are over.

    "worse" stops the run; without a decision there is nothing against the version. Services that did not compare it at
    all, or with another champion, stop it: of what is not there nothing follows.
    """
    version = pair.challenger
    deadline = time.monotonic() + hours * 3600
    while True:
        judgement, why_not = _ask(services, pair, ask)
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
    advice = "start them with CHALLENGER=challenger, or raise shadow_hours"
    return stop(GATE, f"no service compared version {version} within {hours:g} h ({why_not}): {advice}")


def _ask(services: Sequence[str], pair: Pair, ask: Ask) -> tuple[Judgement | None, str]:
    """Return what the services say of these versions, or why they say nothing of them."""
    try:
        judgement = ask(services)
    except UserError as error:
        return None, str(error)
    other = pair.find_other(judgement.comparison)
    return (None, other) if other else (judgement, "no row was compared")
