"""FastAPI with the same model. Run `python -m ekiben.load_tests.servers.fastapi ENGINE PORT`.

As its documentation has it: the model is loaded once, in the lifespan; rows and predictions are
pydantic models, the answer's by the return type, so that pydantic writes the JSON; uvicorn with
uvloop and httptools (`uvicorn[standard]`), one worker. It leaves the choice between `def`, which
runs in threads, and `async def` to what blocks; measured, `async def` is the better one for
either engine: TensorFlow in threads cost 3.1 ms of CPU time a row, 1.8 without.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import create_model

from ekiben.contract.openapi_types import predictions_type, row_type
from ekiben.load_tests.servers.packed_model import Packed, open_packed, read_schema


def build_app(engine: str) -> FastAPI:
    """Return the application."""
    schema = read_schema()
    Row = row_type(schema)
    Prediction: Any = predictions_type(schema).model_fields["predictions"].annotation.__args__[0]  # type: ignore[union-attr]
    Request = create_model("Request", rows=list[Row])  # type: ignore[valid-type]
    Answer = create_model("Answer", predictions=list[Prediction])
    loaded: dict[str, Packed] = {}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loaded["model"] = open_packed(engine)
        yield
        loaded.clear()

    app = FastAPI(lifespan=lifespan)

    @app.post("/predict")
    async def predict(request: Request) -> Answer:
        rows = [row.model_dump(by_alias=True) for row in request.rows]  # type: ignore[attr-defined]
        return Answer(predictions=[Prediction(**prediction) for prediction in loaded["model"].predict(rows)])

    return app


def main(engine: str, port: int) -> None:
    """Serve on that port."""
    uvicorn.run(build_app(engine), host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
