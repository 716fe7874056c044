"""Can those who call the champion call the new version?"""

from ekiben.contract.compatibility import find_differences, read_spans
from ekiben.contract.schema import Schema
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.checks.gate import Contract

GATE = "compatibility"


def judge_compatibility(contract: Contract | None, schema: Schema) -> Verdict:
    """Stop a version whose schema would reject, or read as something else, what the champion's callers send."""
    if contract is None:
        return go(GATE, "there is no champion that anybody calls")
    seen = read_spans(contract.reference) if contract.reference else None
    differences = find_differences(contract.schema, schema, seen)
    if not differences:
        return go(GATE, f"it takes all that callers of version {contract.version} send")
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    return stop(GATE, f"callers of version {contract.version} can't call it: {differences[0]}{more}")
