"""The service under load: is it Ekiben, which model it serves, what it can be asked, and what is right."""

import html
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np

from ekiben.contract.errors import UserError
from ekiben.contract.feature import Boolean, Category, Feature, Number
from ekiben.contract.schema import Schema, Target
from ekiben.load_tests.generator.load import Call
from ekiben.load_tests.requests.http_dialects import RequestFormat
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.load_tests.requests.tensors import Rows
from ekiben.model.golden import Golden
from ekiben.model.store import find_model, open_stored

TIMEOUT_S = 5
GENERATED_ROWS = 256
WIDEST = 1e6  # a generated number where the document gives no bounds


class Unusable(UserError):
    """Nothing answers at the URL, or not what is to be loaded."""


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    model: str
    version: str
    row: Mapping[str, Any]  # its JSON schema

    @property
    def address(self) -> tuple[str, int]:
        """Where its HTTP port is."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80


@dataclass(frozen=True)
class Source:
    """Rows to send; `golden` has what training answered, if that is known."""

    schema: Schema
    rows: Rows
    golden: Golden | None

    def ask(self, request_format: RequestFormat, size: int, first: int = 0) -> RequestCase:
        """Return a question of that many rows."""
        return write_case(self.schema, self.golden or self.rows, request_format, size, first)

    @property
    def origin(self) -> str:
        """Where the rows come from, and what is known of their answers."""
        if self.golden:
            return f"{len(self.rows)} held-out rows of the packed model, each answer compared with training's"
        return f"{len(self.rows)} rows generated from the row's schema, each answer compared with the first one"


def find_service(url: str) -> Service:
    """Return the service at the URL; raise Unusable unless it is Ekiben."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise Unusable(f"--url {url!r}: expected an address such as http://127.0.0.1:8080")
    url = f"http://{parts.netloc}"
    try:
        name = json.loads(read(f"{url}/v2"))["name"]
        document = json.loads(read(f"{url}/docs.json"))
        row = document["components"]["schemas"]["Row"]
        info = document["info"]
    except HTTPError as error:
        raise Unusable(f"what answers at {url} is not Ekiben: GET {error.url} gave status {error.code}") from None
    except (ValueError, KeyError, TypeError):
        raise Unusable(f"what answers at {url} is not Ekiben: start `ekiben serve` or give its --url") from None
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise Unusable(f"nothing answers at {url} ({reason}): start the service or give its --url") from None
    if name != "ekiben":
        raise Unusable(f"what answers at {url} is {name!r}, not Ekiben: give Ekiben's --url")
    return Service(url, info["title"], info["version"], row)


def find_source(service: Service) -> Source:
    """Return the held-out rows if the store here has the model that is served, else rows generated from its schema."""
    try:
        model = open_stored(find_model(service.model))
    except UserError:
        model = None
    if model is None or model.version != service.version:
        schema = read_schema(service)
        return Source(schema, generate_rows(schema), None)
    if not model.has_golden:
        return Source(model.schema, generate_rows(model.schema), None)
    golden = model.load_golden()
    return Source(model.schema, golden.rows, golden)


def write_calls(service: Service, source: Source, request_format: RequestFormat, size: int, count: int) -> list[Call]:
    """Return requests with their right answers: the service is asked each once, and must know the golden ones.

    The same rows get the same bits whatever else is in their batch, so that under load comparing bytes is enough.
    """
    calls = []
    for first in range(count):
        case = source.ask(request_format, size, first)
        answer = ask(service, case)
        host = urlsplit(service.url).netloc
        calls.append(Call(http_request(case.path, case.headers | {"Host": host}, case.body), answer))
    return calls


def ask(service: Service, case: RequestCase) -> bytes:
    """Return the service's answer; raise Unusable unless it is right."""
    try:
        answer = read(f"{service.url}{case.path}", case.body, case.headers)
    except HTTPError as error:
        raise Unusable(f"{service.url} rejected {case.request_format.name}: status {error.code}") from None
    except (URLError, OSError) as error:
        raise Unusable(f"{service.url} does not answer {case.request_format.name} ({error})") from None
    if not case.is_answered_by(answer):
        raise Unusable(
            f"{service.url} serves another model than the store has, or answers wrongly: {answer[:100]!r} "
            f"to {case.request_format.name}"
        )
    return answer


def read(url: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> bytes:
    """Return what a URL answers."""
    with urlopen(Request(url, body, dict(headers)), timeout=TIMEOUT_S) as response:
        return bytes(response.read())


def read_schema(service: Service) -> Schema:
    """Return the schema as far as the service's own document tells it; its target stays unknown."""
    example = service.row.get("example", {})
    features = [read_feature(name, details, example.get(name)) for name, details in service.row["properties"].items()]
    return Schema(name=service.model, features=tuple(features), target=Target(name="unknown", classes=(False, True)))


def read_feature(name: str, details: Mapping[str, Any], example: Any) -> Feature:
    """Return one feature: a number with its bounds, a boolean, or a string of which the example is known."""
    choices = [choice for choice in details.get("anyOf", [details]) if choice.get("type") != "null"]
    kind = choices[0].get("type")
    if kind == "boolean":
        return Boolean(name=name, example=example)
    if kind == "number":
        low, high = choices[0].get("minimum", -WIDEST), choices[0].get("maximum", WIDEST)
        return Number(name=name, low=low, high=high, example=example)
    seen = re.search(
        r"Seen in training: (.*?)(, …)?\.( null|$)", html.unescape(details.get("description", "")), re.DOTALL
    )
    vocabulary = tuple(seen[1].split(", ")) if seen else ()
    return Category(name=name, vocabulary=vocabulary, example=example)


def generate_rows(schema: Schema) -> Rows:
    """Return rows around the example: numbers within their bounds, booleans and strings as the document names them."""
    chance = np.random.default_rng(0)
    return [{feature.name: generate(feature, chance) for feature in schema.features} for _ in range(GENERATED_ROWS)]


def generate(feature: Feature, chance: np.random.Generator) -> Any:
    """Return one value of a feature."""
    if isinstance(feature, Boolean):
        return bool(chance.random() < 0.5)
    if isinstance(feature, Number):
        low, high = max(feature.low, -WIDEST), min(feature.high, WIDEST)
        return math.trunc(1000 * chance.uniform(low, high)) / 1000 if low < high else low
    if isinstance(feature, Category) and feature.vocabulary:
        return str(chance.choice(feature.vocabulary))
    return feature.example
