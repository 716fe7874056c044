"""What is beyond training's edges, and which feature is at fault where two don't fit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ekiben.contract.reference.alarms.calibration import Edge


@dataclass(frozen=True)
class Finding:
    """One feature beyond the edges in the latest window, by the statistic that shows it best."""

    feature: str
    edge: Edge
    value: float
    score: float  # from the threshold on it counts
    weight: float | None  # by how much it can change the answers; None if that was not measured
    partner: str = ""  # the feature that it doesn't fit any more
    lasting: bool = False  # it was so in the window before, too

    @property
    def features(self) -> frozenset[str]:
        """The feature and its partner."""
        return frozenset({self.feature, self.partner} - {""})


@dataclass(frozen=True)
class AlarmReport:
    """What the latest whole window shows; findings stand in the order of what they do to the answers."""

    start: datetime | None = None  # of that window
    threshold: float = 0.0
    alarms: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()  # lasted for one window only, or don't matter
    silence: str = ""  # why nothing was judged
    seasonal: bool = True  # training knew the time of its rows


def assign_pairs(ringing: Sequence[Finding], pairs: Sequence[Finding], found: Sequence[Finding]) -> list[Finding]:
    """Return one finding for each feature at fault: as few features as explain all pairs that don't fit.

    A feature that was found by itself explains its pairs. Else the one that is in most of them is at fault, and of
    equals the one that has the fewest pairs which do fit.
    """
    seen = {one.feature for one in found}
    explained = {one.feature for one in found if one.lasting}
    left = [one for one in ringing if not one.features & (explained if one.lasting else seen)]
    assigned: list[Finding] = []
    while left:
        mine = {name: [one for one in left if name in one.features] for one in left for name in one.features}
        total = {name: sum(name in one.features for one in pairs) for name in mine}
        guilty = max(sorted(mine), key=lambda name: (len(mine[name]), -total[name]))
        worst = max(mine[guilty], key=lambda one: (one.lasting, one.score))
        (partner,) = worst.features - {guilty}
        assigned.append(replace(worst, feature=guilty, partner=partner))
        left = [one for one in left if one not in mine[guilty]]
    return assigned
