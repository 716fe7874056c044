"""Can those who call the champion call the new version?"""

from ekiben.contract.compatibility import read_spans
from ekiben.contract.schema import Schema
from ekiben.contract.schema_change import compare_schemas
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.checks.gate import Contract

GATE = "compatibility"


def judge_compatibility(contract: Contract | None, schema: Schema) -> Verdict:
    """Stop a version whose schema would reject, or read as something else, what the champion's callers send."""
    if contract is None:
        return go(GATE, "there is no champion that anybody calls")
    seen = read_spans(contract.reference) if contract.reference else None
    change = compare_schemas(contract.schema, schema, seen)
    differences = change.by_old_callers
    if not differences:
        order = ", who may send its new fields once it is out: service first" if change.renamed else ""
        said = "; ".join([f"it takes all that callers of version {contract.version} send{order}", *change.decided])
        return go(GATE, said)
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    order = f"{change.verdict}: {', '.join(change.steps)}"
    return stop(GATE, f"callers of version {contract.version} can't call it: {differences[0]}{more}; {order}")
