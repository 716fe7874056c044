"""Asks an MLflow registry over its REST API which version an alias names, and for files of that version's run.

Nothing it says is believed further than it must be: an answer has a bound in bytes, a redirect is not followed (it
would carry the login elsewhere), what is not the expected JSON is rejected.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, ValidationError

from ekiben.contract.errors import UserError
from ekiben.contract.validation import shorten
from ekiben.model.store import DIGEST_LABEL
from ekiben.service.sources.access import Access
from ekiben.service.sources.address import ModelSource

if TYPE_CHECKING:
    import httpx  # 5 MiB, of which a service without a registry needs nothing

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 5.0, 10.0  # the latter of each piece
ANSWER_S = 15.0  # for the whole answer of which version it is
MAX_ANSWER_BYTES = 2**20  # of JSON
ALIAS_PATH, FILE_PATH = "/api/2.0/mlflow/registered-models/alias", "/get-artifact"
LOGIN_STATUSES = (401, 403)


class RegistryFailed(UserError):
    """What keeps a version from being fetched; of one `kind` the log has one sentence until another comes."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Tag(BaseModel):
    key: str
    value: str = ""


class _Version(BaseModel):
    name: str
    version: Annotated[str, Field(pattern=r"^[0-9]{1,19}$", coerce_numbers_to_str=True)]
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    tags: list[_Tag] = []


class _Answer(BaseModel):
    model_version: _Version


class Registered(BaseModel):
    """A version that the registry names, and the manifest that its package must have."""

    version: str
    run_id: str
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class Registry:
    """One registered model of an MLflow server."""

    def __init__(self, access: Access, source: ModelSource) -> None:
        import httpx

        self.source = source
        self._access = access
        self._client = httpx.AsyncClient(
            headers=access.headers,
            verify=access.verify,
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=1),
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def find_version(self) -> Registered:
        """Return the version that the alias names; raise RegistryFailed if none can be served."""
        try:
            async with asyncio.timeout(ANSWER_S):
                content = await self._ask_alias()
            found = _Answer.model_validate_json(content).model_version
        except TimeoutError:
            raise self.fail("unreachable", f"did not answer within {ANSWER_S:g} s") from None
        except ValidationError:
            raise self.fail("invalid", "answers what is no model version: does MLFLOW_TRACKING_URI name it?") from None
        if found.name != self.source.name:
            raise self.fail("invalid", f"names a version of {shorten(found.name)!r} for {self.source}")
        digest = next((tag.value for tag in found.tags if tag.key == DIGEST_LABEL), "")
        try:
            return Registered(version=found.version, run_id=found.run_id, digest=digest)
        except ValidationError:
            advice = f"run `ekiben promote {found.version}` once, or train again"
            raise self.fail(
                "unpacked", f"has no usable tag `{DIGEST_LABEL}` at version {found.version} of {self.source}: {advice}"
            ) from None

    @asynccontextmanager
    async def open_file(self, run_id: str, path: str) -> "AsyncIterator[httpx.Response]":
        """Ask for a file among a run's artifacts; raise RegistryFailed if it can't be had."""
        missing = f"has lost {shorten(path)} of the run {run_id}: promote another version"
        async with self._ask(FILE_PATH, {"run_id": run_id, "path": path}, missing) as response:
            yield response

    async def _ask_alias(self) -> bytes:
        named = {"name": self.source.name, "alias": self.source.alias}
        async with self._ask(ALIAS_PATH, named, f"has no {self.source}: promote a version") as response:
            return await read_bounded(response, MAX_ANSWER_BYTES)

    def fail(self, kind: str, sentence: str) -> RegistryFailed:
        """Return the error that names the server; what it is about stays as it is."""
        return RegistryFailed(kind, f"the MLflow registry at {self._access.url} {sentence}")

    @asynccontextmanager
    async def _ask(self, path: str, parameters: dict[str, str], missing: str) -> "AsyncIterator[httpx.Response]":
        import httpx

        try:
            async with self._client.stream("GET", self._access.url + path, params=parameters) as response:
                self._check(response, missing)
                yield response
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            reason = shorten(str(error) or type(error).__name__)
            raise self.fail("unreachable", f"does not answer ({reason}): check MLFLOW_TRACKING_URI") from None

    def _check(self, response: "httpx.Response", missing: str) -> None:
        status = response.status_code
        if status == 404:
            raise self.fail("missing", missing)
        if status in LOGIN_STATUSES:
            raise self.fail("unauthorized", f"lets us not in ({status}): check the login in MLFLOW_TRACKING_…")
        if response.is_redirect:
            raise self.fail("redirected", f"leads elsewhere ({status}): set MLFLOW_TRACKING_URI to the right address")
        if status != 200:
            raise self.fail("unreachable", f"answers with status {status}: its log may say why")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self.fail("invalid", "packs what was asked for unpacked")


async def read_bounded(response: "httpx.Response", max_bytes: int) -> bytes:
    """Return a whole body; raise RegistryFailed if it is larger."""
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > max_bytes:
            raise RegistryFailed("invalid", f"{response.url.host} sends more than {max_bytes} bytes: it is no registry")
    return bytes(content)
