"""The page for people at /: static files of ours, and the JSON that they are filled from.

The files say nothing of the model and are open to everybody; what they show they ask with the token, if one is set.
"""

from collections.abc import Callable, Sequence

from ekiben.model.package import CARD_FILE, PROVENANCE_FILE, PackedModel
from ekiben.model.provenance import Provenance
from ekiben.service.errors import BadRequest
from ekiben.service.http.messages import JSON_TYPE, Header, Request, Response, encode_json
from ekiben.service.http.page_headers import HTML, REPORT
from ekiben.service.offload import offload
from ekiben.service.pages.description import describe_model
from ekiben.service.pages.static_files import read_files
from ekiben.service.playground import protocol as playground
from ekiben.service.protocols.openapi import HTML as MARKUP
from ekiben.service.protocols.openapi import JSON, STRING, list_of, record
from ekiben.service.protocols.protocol import Operation, Protocol, Route
from ekiben.service.settings import Settings

PROTOCOL = "page"
INDEX = "index.html"
PATH, FILES_PATH = f"/{INDEX}", "/page/{file}"  # a browser that asks for / gets the first
MODEL_PATH, NAMED_PATH = "/model.json", "/model/{model}.json"
CARD_PATH, LINEAGE_PATH = "/card/{model}.html", "/lineage/{model}.json"
FRESH: Header = (b"cache-control", b"no-store")
MODEL = Operation(
    "What the page at / shows of the model: its target, its features with their values in training",
    response={
        JSON: record(
            model=STRING, version=STRING, target={"type": "object"}, features=list_of({"type": "object"}),
            models=list_of(STRING, "the names of all that are served"),
        )
    },
)  # fmt: skip
CARD = Operation("The model card", response={MARKUP: STRING})
LINEAGE = Operation(
    "Where the model comes from: an in-toto statement about the files of its package", response={JSON: Provenance}
)
Others = Callable[[], Sequence[str]]  # the names of the models besides the first


def build_page(model: PackedModel, challenger: str, settings: Settings, first: str, others: Others) -> Protocol:
    """Return what the page registers; `challenger`: the version of one that answers beside the model, or ""."""
    files, packed = read_files(), model.manifest.files
    made: list[tuple[Sequence[str], bytes]] = []  # the names of all models, and what the page shows with them

    async def answer_index(request: Request) -> Response:
        return files[INDEX].answer(request)

    async def answer_file(request: Request) -> Response:
        file = files.get(request.parameters["file"])
        if file is None:
            raise BadRequest(404, "the page has no such file")
        return file.answer(request)

    async def answer_model(request: Request) -> Response:
        names = [first, *others()]
        if not made or made[0][0] != names:
            made[:] = [(names, await offload(describe_page, model, challenger, settings, names))]
        return Response(made[0][1], (FRESH,))

    async def answer_card(request: Request) -> Response:
        return Response(await offload(read_packed, model, CARD_FILE, "a card"), REPORT, content_type=HTML)

    async def answer_lineage(request: Request) -> Response:
        return Response(await offload(read_packed, model, PROVENANCE_FILE, "its lineage"), (FRESH,), 200, JSON_TYPE)

    return Protocol(
        PROTOCOL,
        (
            Route("GET", PATH, answer_index, probe=True),
            Route("GET", FILES_PATH, answer_file, probe=True),
            Route("GET", MODEL_PATH, answer_model, operation=MODEL),
            Route("GET", NAMED_PATH, answer_model, operation=MODEL),
            Route("GET", CARD_PATH, answer_card, operation=CARD if CARD_FILE in packed else None),
            Route("GET", LINEAGE_PATH, answer_lineage, operation=LINEAGE if PROVENANCE_FILE in packed else None),
        ),
    )


def describe_page(model: PackedModel, challenger: str, settings: Settings, names: Sequence[str]) -> bytes:
    """Return what the page shows of a model, and what it may ask, as JSON; `names`: of all models that are served."""
    described = describe_model(model) | {
        "challenger": challenger,
        "card": CARD_FILE in model.manifest.files,
        "lineage": PROVENANCE_FILE in model.manifest.files,
        "monitoring": settings.monitoring and model.reference is not None,
        "grpc_port": settings.port if settings.grpc_on_main_port else settings.grpc_port,
        "limits": {"rows": playground.MAX_ROWS, "bytes": min(playground.MAX_BYTES, settings.max_body_bytes)},
        "models": names,
    }
    return encode_json(described)


def read_packed(model: PackedModel, file: str, what: str) -> bytes:
    """Return a file of the package; raise BadRequest if it was packed without."""
    if file not in model.manifest.files:
        raise BadRequest(404, f"{model.name} {model.version} was packed without {what}: train it again")
    return (model.path / file).read_bytes()
