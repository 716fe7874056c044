"""OpenLineage events of a training run, for catalogues such as Marquez: where OPENLINEAGE_URL says, if it says so.

The variables are those of OpenLineage's own clients; with `file:` and a path each event is a line of that file.
"""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from mlflow.entities import Run

from ekiben.contract.version import VERSION
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact, redact_uri
from ekiben.training.source_config import BuiltInSource, FileSource

PRODUCER = f"urn:ekiben:{VERSION}"
SCHEMAS = "https://openlineage.io/spec"
TIMEOUT_S = 5


@contextmanager
def tell_lineage(run: Run, problem: ProblemConfig, digest: str) -> Iterator[None]:
    """Send that a run starts, and how it ends; a catalogue that is away stops nothing."""
    send(describe("START", run, problem, digest))
    try:
        yield
    except KeyboardInterrupt:
        send(describe("ABORT", run, problem, digest))
        raise
    except BaseException as error:
        send(describe("FAIL", run, problem, digest, redact(str(error) or type(error).__name__)))
        raise
    send(describe("COMPLETE", run, problem, digest))


def describe(kind: str, run: Run, problem: ProblemConfig, digest: str, error: str = "") -> dict[str, Any]:
    """Return the event as OpenLineage 2-0-2 has it."""
    namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or "default"
    failed = _facet("1-0-1/ErrorMessageRunFacet", message=error, programmingLanguage="Python")
    version = _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=digest)
    where, name = name_source(problem)
    return {
        "eventType": kind,
        "eventTime": datetime.now(UTC).isoformat(),
        "run": {"runId": str(uuid.UUID(run.info.run_id)), "facets": {"errorMessage": failed} if error else {}},
        "job": {"namespace": namespace, "name": f"{problem.name}.train", "facets": {}},
        "inputs": [{"namespace": where, "name": name, "facets": {"version": version}}],
        "outputs": [{"namespace": namespace, "name": f"{problem.name}.model", "facets": {}}],
        "producer": PRODUCER,
        "schemaURL": f"{SCHEMAS}/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }


def name_source(problem: ProblemConfig) -> tuple[str, str]:
    """Return namespace and name of the table; of a database the address without its login, and the problem's name."""
    source = problem.source
    if isinstance(source, BuiltInSource):
        return "ekiben", source.loader
    if isinstance(source, FileSource):
        return "file", str(source.path.resolve())
    return redact_uri(source.url), problem.name


def send(event: dict[str, Any]) -> None:
    """Send an event, if there is somewhere to; what goes wrong is a note."""
    url = os.environ.get("OPENLINEAGE_URL", "")
    if not url or os.environ.get("OPENLINEAGE_DISABLED", "").lower() == "true":
        return
    try:
        _deliver(url, event)
    except Exception as error:  # whatever it is: the training goes on
        reason = (redact(str(error), url).splitlines() or [type(error).__name__])[0]
        print(f"note: the event {event['eventType']} did not reach OPENLINEAGE_URL: {reason}")


def _deliver(url: str, event: dict[str, Any]) -> None:
    if url.startswith("file:"):
        with Path(url.removeprefix("file:").replace("//", "", 1)).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        return
    key, endpoint = os.environ.get("OPENLINEAGE_API_KEY"), os.environ.get("OPENLINEAGE_ENDPOINT") or "api/v1/lineage"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = f"{url.rstrip('/')}/{endpoint.lstrip('/')}"
    answered = requests.post(address, json=event, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
    if answered.status_code >= 300:
        raise OSError(f"it answered {answered.status_code}")


def _facet(schema: str, **values: str) -> dict[str, str]:
    version, name = schema.split("/")
    address = f"{SCHEMAS}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": address, **values}
