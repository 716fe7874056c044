"""The least this stack can cost: raw ASGI, our encoding, LiteRT, a batch per tick of the event loop.

No BentoML, deadlines, limits, metrics, request ids or error answers.
Run `python -m ekiben.load_tests.servers.floor PORT`.
"""

import asyncio
import gc
import sys
from typing import Any

import orjson
import uvicorn

from ekiben.contract.encoding import Encoder
from ekiben.model.engine import Engine
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings
from ekiben.service.http.messages import App, Receive, Scope, Send


class Floor:
    """Batches whatever arrives in one tick of the event loop."""

    def __init__(self, encoder: Encoder, engine: Engine) -> None:
        self._encoder = encoder
        self._engine = engine
        self._waiting: list[tuple[list[Any], asyncio.Future[list[float]]]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        probabilities = await self._predict(orjson.loads(body)["rows"])
        answer = orjson.dumps({"predictions": [{"probability": p, "label": p >= 0.5} for p in probabilities]})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _predict(self, rows: list[Any]) -> "asyncio.Future[list[float]]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[float]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._compute)
        self._waiting.append((rows, future))
        return future

    def _compute(self) -> None:
        waiting, self._waiting = self._waiting, []
        encoded = self._encoder.encode_rows([row for rows, _ in waiting for row in rows])
        answers = self._engine.run(encoded)[:, 0].tolist()
        start = 0
        for rows, future in waiting:
            future.set_result(answers[start : start + len(rows)])
            start += len(rows)


def main(port: int) -> None:
    """Serve the model of the BentoML store on that port."""
    model = open_stored(find_model(read_settings().model_name))
    app: App = Floor(Encoder(model.schema), model.start_engine())
    gc.freeze()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
