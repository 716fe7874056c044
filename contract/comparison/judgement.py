"""What a comparison says: is the challenger better, and how sure is that?"""

from dataclasses import dataclass
from typing import Literal

from ekiben.contract.comparison.comparison import Comparison
from ekiben.contract.comparison.evidence import ALPHA, Interval, count_missing, estimate
from ekiben.contract.comparison.losses import STEPS
from ekiben.contract.comparison.parts import Part

Decision = Literal["better", "worse", "no evidence yet"]
MIN_LABELS = 30  # of fewer it is not estimated how many more are needed


@dataclass(frozen=True)
class Judgement:
    """A comparison of all processes, and what follows from it."""

    comparison: Comparison
    total: Part
    decision: Decision
    labels: int  # that found their pair
    gain: Interval  # by how much the challenger's mean loss is smaller, nats or standard deviations of the target
    more: int | None  # labels that will decide, about; None where that can't be said
    loss: float  # the champion's mean loss


def judge(comparison: Comparison) -> Judgement:
    """Return what a comparison says."""
    total = comparison.add_up()
    evidence = total.labels.evidence
    labels, gain = sum(evidence.rows), estimate(evidence)
    decision: Decision = "better" if gain.low > 0 else "worse" if gain.high < 0 else "no evidence yet"
    open_still = decision == "no evidence yet" and labels >= MIN_LABELS
    return Judgement(
        comparison=comparison,
        total=total,
        decision=decision,
        labels=labels,
        gain=gain,
        more=count_missing(evidence) if open_still else None,
        loss=total.labels.loss / STEPS / labels if labels else 0.0,
    )


def summarize(judgement: Judgement) -> Comparison:
    """Return the comparison with what it says, for programs."""
    total = judgement.total
    summary = {
        "decision": judgement.decision,
        "confidence": 1 - ALPHA,
        "labels": judgement.labels,
        "gain": judgement.gain._asdict(),
        "more_labels": judgement.more,
        "champion_loss": judgement.loss,
        "challenger_loss": judgement.loss - judgement.gain.mean,
        "answered": total.answered,
        "compared": total.compared,
        "dropped": total.dropped,
        "disagreed": total.disagreed,
        "row_us": {"champion": total.champion.row_us, "challenger": total.challenger.row_us},
    }
    return judgement.comparison.model_copy(update={"summary": summary})
