"""What the OpenAPI document says of explanations, in every protocol that writes rows."""

from ekiben.contract.explanation.explaining import MAX_PAIRS, ROUND_PAIRS, SETTLED
from ekiben.service.explaining.wishes import MAX_DIGITS
from ekiben.service.protocols.openapi import PREDICTION, STRING, list_of, record
from ekiben.service.protocols.openapi.errors import ANSWERING
from ekiben.service.protocols.protocol import JsonSchema

ATTRIBUTION = record(
    feature=STRING,
    value={"type": "number", "description": "What the feature adds, in the unit."},
    standard_error={"type": "number", "minimum": 0},
)
EXPLANATION = record(
    prediction=PREDICTION,
    unit={"type": "string", "description": "Of all numbers: `log-odds`, or the target's own."},
    base_value={"type": "number", "description": "The mean answer to the background rows."},
    output_value={"type": "number", "description": "The answer: `base_value`, all attributions and `rest`."},
    attributions=list_of(ATTRIBUTION, "The largest first."),
    rest={"type": "number", "description": "The sum of the attributions that `top` left out."},
    pairs={"type": "integer", "minimum": 1, "description": "Pairs of walks that were answered."},
)
EXPLANATIONS: JsonSchema = list_of(EXPLANATION, "One for each row, in their order.")
TOP: JsonSchema = {
    "name": "top",
    "in": "query",
    "description": "Names only so many features, those that count most.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 10**MAX_DIGITS - 1},
}
PAIRS: JsonSchema = {
    "name": "pairs",
    "in": "query",
    "description": f"The most pairs for a row: with more than {ROUND_PAIRS} they go on until the largest standard "
    f"error is {SETTLED:.0%} of the largest value, or the deadline.",
    "schema": {"type": "integer", "minimum": ROUND_PAIRS, "maximum": MAX_PAIRS, "default": ROUND_PAIRS},
}
TIMEOUT: JsonSchema = {"$ref": "#/components/parameters/Timeout"}
ERRORS = ANSWERING
