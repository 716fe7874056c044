"""What the OpenAPI document says of the routes by which models come, go and are listed."""

from ekiben.model.package import PackedModel
from ekiben.service.canary.protocol import SHARE
from ekiben.service.protocols.openapi import JSON, STRING, list_of, record
from ekiben.service.protocols.protocol import Operation
from ekiben.service.servings.parameters import FORCE, VERSION

COUNT = {"type": "integer", "minimum": 0}
DURATION = record(count=COUNT, ns=COUNT)
NAMES = list_of(STRING)
COUNTED = record(
    name=STRING, version=STRING, last_inference=COUNT, inference_count=COUNT, execution_count=COUNT,
    inference_stats={"type": "object", "additionalProperties": DURATION}, batch_stats=list_of({"type": "object"}),
)  # fmt: skip
PARAMETERS = {
    "type": "object",
    "properties": {
        "parameters": {
            "type": "object",
            "properties": {
                VERSION: STRING,
                FORCE: {"type": "boolean"},
                SHARE: {"type": "number", "minimum": 0, "maximum": 1},
            },
        }
    },
}


def name_copy(model: PackedModel) -> str:
    """Return the name under which the examples load a model once more, and end it."""
    return f"{model.name}-copy"


LOADING = (400, 408, 409, 413, 503, 507)
LIST = Operation("Names of the models", response={JSON: record(models=NAMES)})
LIST_OBJECTS = Operation(
    "Names of the models, as KServe V1 and OpenAI's clients read them",
    response={JSON: record(models=NAMES, object=STRING, data=list_of(record(id=STRING, object=STRING)))},
)
STATISTICS = Operation(
    "Statistics of the requests answered so far", response={JSON: record(model_stats=list_of(COUNTED))}
)
INDEX = Operation(
    "What is served, and what could be loaded from the store",
    {JSON: {"type": "object", "properties": {"ready": {"type": "boolean", "description": "only what is ready"}}}},
    {JSON: list_of(record(name=STRING, version=STRING, state=STRING, reason=STRING))},
    examples={JSON: lambda model: {}},
    errors=(400, 408, 413),
    bodiless=True,
)
LOAD = Operation(
    "Let a model answer, or another version of it: the newest of the store, or the one that `version` names; with "
    "`share` only so large a share of the callers, as a canary",
    {JSON: PARAMETERS},
    {
        JSON: {
            "type": "object",
            "required": ["name", "version", "state"],
            "properties": {
                "name": STRING,
                "version": STRING,
                "state": STRING,
                SHARE: {"type": "number"},
                "changed": {"type": "number", "description": "when, in seconds since 1970"},
            },
        }
    },
    examples={JSON: lambda model: {"parameters": {VERSION: model.version}}},
    errors=LOADING,
    bodiless=True,
)
UNLOAD = Operation(
    "End a model, or a version that is held beside the one that answers, after its last answer",
    {JSON: PARAMETERS},
    {JSON: {"type": "object"}},
    examples={JSON: lambda model: {}},
    errors=LOADING,
    bodiless=True,
    target=lambda model, others: next(iter(others), model.name),  # the first one stays
)
# SageMaker's.
FOLDER = record(modelName=STRING, modelUrl=STRING)
LOAD_FOLDER = Operation(
    "Load a packed model from a folder, as SageMaker does; it answers under that name",
    {JSON: record(model_name=STRING, url=STRING)},
    {JSON: FOLDER},
    examples={JSON: lambda model: {"model_name": name_copy(model), "url": str(model.path)}},
    errors=LOADING,
)
LIST_FOLDERS = Operation(
    "Names and folders of the models, by pages",
    response={
        JSON: {
            "type": "object",
            "required": ["models"],
            "properties": {"models": list_of(FOLDER), "nextPageToken": STRING},
        }
    },
    errors=(400,),
    parameters=(
        {
            "name": "next_page_token",
            "in": "query",
            "description": "The answer before had it as `nextPageToken`.",
            "schema": STRING,
        },
    ),
)
FIND = Operation("Name and folder of a model", response={JSON: FOLDER})
END = Operation(
    "End a model after its last answer",
    response={JSON: {"type": "object"}},
    errors=(409,),
    target=lambda model, others: name_copy(model),
)
