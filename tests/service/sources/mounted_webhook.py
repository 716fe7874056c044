"""The registry's webhook without the rest of a service, called in this process or over a port."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from ekiben.service.http.messages import Message
from ekiben.service.http.router import Router
from ekiben.service.protocols.mounting import mount
from ekiben.service.settings import Settings
from ekiben.service.sources.hints import Hints
from ekiben.service.sources.webhook import PATH, build_webhook
from tests.service.sources.packed import SOURCE

SECRET = "wh-secret"


class MountedWebhook:
    """What answers the registry's calls, and what it answered over the port."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._settings = Settings(**{"model_source": SOURCE, "registry_secret": SECRET, **settings})
        self.hints = Hints(folder)
        self.answers: list[tuple[int, Any]] = []
        self._router = Router()
        mount(self._router, [build_webhook(self.hints, self._settings)], self._settings)

    @property
    def is_there(self) -> bool:
        return self._router.find(PATH) is not None

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        return asyncio.run(self._post(body, headers))

    @contextmanager
    def running(self) -> Iterator[str]:
        """Answer on a port; yield the webhook's address."""
        mounted = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                mounted.answers.append(mounted.post(body, dict(self.headers)))
                self.send_response(mounted.answers[-1][0])
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{PATH}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        sent: list[Message] = []
        messages: list[Message] = [{"type": "http.request", "body": body}]

        async def receive() -> Message:
            return messages.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        found = self._router.find(PATH)
        assert found is not None
        assert "POST" in found.resource.probes  # it needs no token
        given = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": given}
        await found.resource.apps["POST"](scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])
