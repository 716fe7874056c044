"""Which of the columns that could be features had better not be: they follow the time, or give the target away."""

from collections.abc import Mapping

from ekiben.training.proposal.cycles import ONLY_ORDER
from ekiben.training.proposal.doubts.joint_leaks import find_joint_leaks
from ekiben.training.proposal.doubts.leaks import find_leaks
from ekiben.training.proposal.doubts.time_order import Followers, find_time_followers
from ekiben.training.proposal.doubts.values import Sampled
from ekiben.training.proposal.features import Feature, with_remark
from ekiben.training.proposal.split import ProposedSplit

Features = Mapping[str, Feature]


def find_aimless(features: Features) -> dict[str, str]:
    """Return the timestamps without any cycle."""
    return {name: ONLY_ORDER for name, feature in features.items() if feature.facts.get("cycles") == []}


def find_followers(features: Features, sampled: Sampled, split: ProposedSplit) -> Followers:
    """Return the features that put the rows in the order of the time to split by."""
    if split.time is None:
        return Followers({}, {})
    others = {name: feature for name, feature in features.items() if name != split.time}
    return find_time_followers(others, sampled.columns, sampled.moments[split.time], split.title)


def with_doubts(features: Features, doubts: Mapping[str, str]) -> dict[str, Feature]:
    """Return the features, some with one more remark."""
    return {name: with_remark(one, doubts[name]) if name in doubts else one for name, one in features.items()}


def find_all_leaks(features: Features, sampled: Sampled, split: ProposedSplit, is_class: bool) -> dict[str, str]:
    """Return the features that give the target away, alone or together."""
    suspects = {name: feature for name, feature in features.items() if name != split.time}  # that is known beforehand
    leaks = find_leaks(suspects, sampled, is_class)
    kinds = {name: feature.facts["kind"] for name, feature in features.items() if name not in leaks}
    ordered = {name: sampled.columns[name] for name, kind in kinds.items() if kind != "category"}
    known = split.time if isinstance(split.time, str) else None
    return leaks | find_joint_leaks(ordered, kinds, sampled.target, known, is_class)


def keep_some(features: Features, leaks: Mapping[str, str], split: ProposedSplit) -> dict[str, Feature]:
    """Return the features that give nothing away; where there is none but the time, all, with a remark."""
    if leaks.keys() >= features.keys() - {split.time}:
        return with_doubts(features, leaks)
    return {name: feature for name, feature in features.items() if name not in leaks}
