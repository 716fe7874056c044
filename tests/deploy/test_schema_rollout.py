"""Two versions of different schema behind one address: callers of both, over every protocol, lose nothing."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pandas as pd
import pytest

from ekiben.commands.__main__ import main
from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import MANIFEST_FILE, open_model
from ekiben.service.protos import message
from ekiben.training.predict import predict
from ekiben.training.registry.storing import store_package
from ekiben.training.registry.table_flavor import model_signature
from ekiben.training.registry.table_model import read_column
from ekiben.training.source_config import FileSource
from tests.callers import CALLERS, Caller, columns, to_array
from tests.conftest import NAME, PATIENCE_S, Server, serve, using_stores, wait_until
from tests.deploy.rollout import Callers, forward
from tests.http_client import HTTP
from tests.packed_tasks import write_schema
from tests.service.servings.repack import digest_of

FEATURES: tuple[Feature, ...] = (
    Number(name="distance", low=0, high=500, example=80),
    Category(name="carrier", vocabulary=("", "AA", "UA"), nullable=True, example="UA"),
    Timestamp(name="departure", example="2013-07-04T17:30:00"),
)
ADDED: tuple[Feature, ...] = (
    Number(name="load", low=0, high=1, optional=True, default=0.5, example=0.25),
    Category(name="gate", vocabulary=("", "A1", "B2"), nullable=True, optional=True, example="A1"),
)
TARGET = Target(name="late", classes=(False, True))
OLD = Schema(name=NAME, features=FEATURES, target=TARGET)
NEW = Schema(name=NAME, features=FEATURES + ADDED, target=TARGET)
ROWS = [{"distance": 80.5, "carrier": "AA", "departure": "2013-07-04T17:30:00"}]
ROWS = [*ROWS, {"distance": 8.0, "carrier": None, "departure": "2013-01-04T07:30:00"}]
FULL_ROWS = [{**row, "load": 0.25, "gate": "B2"} for row in ROWS]
DEFAULTS = {"load": 0.5, "gate": None}
POSITIONAL = {"/v2 infer, one tensor of all", "KServe V1, positional", "/invocations, CSV without, CSV back"}
NAMED = {who: ask for who, ask in CALLERS.items() if who[1] not in POSITIONAL}
TENSORS = ("tritonclient.http", "tritonclient.grpc", "tensorflow_serving.apis")
STRICT = ("/predict", "infer, binary", "infer, JSON", "infer, raw", "Predict", "TensorFlow Serving, columns, by label")
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
IGNORED = "x-ignored-columns"

pytestmark = pytest.mark.slow


def make_table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "distance": random.uniform(0, 500, 50).astype(np.float32),
            "carrier": pd.Categorical(random.choice(["AA", "UA"], 50)),
            "departure": pd.date_range("2013-01-01", periods=50).astype("datetime64[s]"),
            "load": random.uniform(0, 1, 50).astype(np.float32),
            "gate": pd.Categorical(random.choice(["A1", "B2"], 50)),
        }
    )


@dataclass(frozen=True)
class Versions:
    """The service of each schema, and the old one as it ignores unknown fields."""

    old: Server
    ignoring: Server
    new: Server
    homes: Path


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Versions]:
    homes = tmp_path_factory.mktemp("schemas")
    for name, version, schema in (("old", "1", OLD), ("new", "2", NEW)):
        with using_stores(homes / name):
            write_schema(homes / name / "package", schema, make_table())
            store_package(homes / name / "package", version, {"run_id": "made"})
    settings: dict[str, dict[str, str]] = {"old": {}, "ignoring": {"UNKNOWN_FIELDS": "ignore"}, "new": {}}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:

        def start(name: str) -> Server:
            folder, home = tmp_path_factory.mktemp(name), homes / ("new" if name == "new" else "old") / "bentoml"
            return stack.enter_context(serve(folder, BENTOML_HOME=str(home), MODEL_NAME=NAME, **settings[name]))

        yield Versions(*pool.map(start, settings), homes=homes)


@pytest.mark.parametrize("who", NAMED, ids=" ".join)
def test_who_leaves_optional_fields_out_gets_their_defaults(versions: Versions, who: tuple[str, str]) -> None:
    ask: Caller = NAMED[who]
    rows = [{**row, **DEFAULTS} for row in ROWS]
    assert ask(versions.new, OLD, ROWS) == ask(versions.new, NEW, rows)
    assert ask(versions.new, NEW, FULL_ROWS) != ask(versions.new, OLD, ROWS)


@pytest.mark.parametrize("who", NAMED, ids=" ".join)
def test_unknown_fields_are_ignored_by_the_setting(versions: Versions, who: tuple[str, str]) -> None:
    ask: Caller = NAMED[who]
    assert ask(versions.ignoring, NEW, FULL_ROWS) == ask(versions.ignoring, OLD, ROWS)


@pytest.mark.parametrize(
    "who", [who for who in NAMED if who[0] in ("httpx", *TENSORS) and who[1] in STRICT], ids=" ".join
)
def test_without_the_setting_they_are_rejected(versions: Versions, who: tuple[str, str]) -> None:
    with pytest.raises(Exception, match="unknown field"):
        NAMED[who](versions.old, NEW, FULL_ROWS)


def ask_http(server: Server, row: dict[str, Any], timeout: float = PATIENCE_S) -> httpx.Response:
    """Ask over a connection of its own."""
    return httpx.post(f"{server.url}/predict", json={"rows": [row]}, timeout=timeout)


def ask_grpc(server: Server, schema: Schema, row: dict[str, Any]) -> Any:
    """Ask over a connection of its own; return the trailing metadata."""
    request = message("inference.ModelInferRequest")(model_name=NAME)
    for name, (datatype, values) in columns(schema, [row]).items():
        tensor = request.inputs.add(name=name, datatype=datatype, shape=[1])
        flat = to_array(datatype, values).ravel()
        getattr(tensor.contents, "bytes_contents" if datatype == "BYTES" else "fp32_contents").extend(flat)
    with grpc.insecure_channel(server.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        ask = channel.unary_unary(MODEL_INFER, type(request).SerializeToString)
        _, call = ask.with_call(request, timeout=PATIENCE_S)
        return dict(call.trailing_metadata())


def test_what_is_ignored_is_said(versions: Versions) -> None:
    server, row = versions.ignoring, FULL_ROWS[0]
    before = server.metric("ekiben_unknown_fields_total")
    assert ask_http(server, row).headers[IGNORED] == "load, gate"
    assert ask_grpc(server, NEW, row)[IGNORED] == "load, gate"
    assert ask_grpc(server, OLD, ROWS[0]).keys().isdisjoint({IGNORED})
    assert IGNORED not in ask_http(server, ROWS[0]).headers
    explained = HTTP.post(f"{server.url}/explain", json={"rows": [row]})
    assert (explained.status_code, explained.headers[IGNORED]) == (200, "load, gate")
    wait_until(lambda: server.metric("ekiben_unknown_fields_total") >= before + 3)
    log = server.log.read_text()
    assert log.count("the unknown field 'load', which is ignored") == 1  # a minute


def test_a_misspelt_field_is_rejected_all_the_same(versions: Versions) -> None:
    for server in (versions.new, versions.ignoring):
        answered = ask_http(server, {**ROWS[0], "carier": "UA"} | {"carrier": "UA"})
        assert answered.status_code == (200 if server is versions.ignoring else 400)
    misspelt = HTTP.post(f"{versions.new.url}/invocations", json=[{**ROWS[0], "Load": 0.25}])
    assert (misspelt.status_code, "`Load`: unknown field; did you mean `load`?" in misspelt.json()["error"]) == (
        400,
        True,
    )
    table = pd.DataFrame([{**ROWS[0], "Load": 0.25}]).to_parquet()
    for kind, body in (
        ("application/vnd.apache.parquet", table),
        ("text/csv", b"distance,carrier,departure,Load\n1,AA,,1\n"),
    ):
        answered = HTTP.post(f"{versions.new.url}/invocations", content=body, headers={"content-type": kind})
        assert (answered.status_code, "did you mean `load`?" in answered.json()["error"]) == (400, True), answered.text
    beside = HTTP.post(f"{versions.new.url}/invocations", json=[{**ROWS[0], "row_id": 7}])
    assert (beside.status_code, beside.headers[IGNORED]) == (200, "row_id")


def test_the_service_says_what_is_optional(versions: Versions) -> None:
    row = HTTP.get(f"{versions.new.url}/docs.json").json()["components"]["schemas"]["Row"]
    assert row["required"] == list(OLD.names)
    described = HTTP.get(f"{versions.new.url}/v2/models/{NAME}").json()
    assert json.loads(described["properties"]["optional_inputs"]) == ["load", "gate"]
    config = HTTP.get(f"{versions.new.url}/v2/models/{NAME}/config").json()
    assert [one["name"] for one in config["input"] if one.get("optional")] == ["load", "gate"]


def roll(versions: tuple[Server, ...], *asks: Callable[[Server], None]) -> Callers:
    """Let callers ask one address while replicas of these versions take turns behind it, then the last alone."""
    http, grpc_ports = ([int(address.rpartition(":")[2]) for address in those] for those in zip(
        *((one.url, one.grpc) for one in versions), strict=True
    ))  # fmt: skip
    with forward(http[0], grpc_ports[0]) as (web, rpc):
        address = replace(versions[0], url=f"http://127.0.0.1:{web.port}", grpc=f"127.0.0.1:{rpc.port}")
        callers = Callers(*[lambda ask=ask: ask(address) for ask in asks])
        with callers:
            for turn in [0, *itertools.islice(itertools.cycle(range(len(versions))), 8), len(versions) - 1]:
                web.target, rpc.target = http[turn], grpc_ports[turn]
                enough = callers.answered + len(callers.failures) + 6
                wait_until(lambda enough=enough: callers.answered + len(callers.failures) >= enough)
    return callers


def call(schema: Schema, row: dict[str, Any]) -> tuple[Callable[[Server], None], Callable[[Server], None]]:
    """Return callers of a schema over HTTP and gRPC."""

    def over_http(server: Server) -> None:
        answered = ask_http(server, row)
        assert answered.status_code == 200, answered.text

    return over_http, lambda server: ask_grpc(server, schema, row)


OLD_CALLERS, NEW_CALLERS = call(OLD, ROWS[0]), call(NEW, FULL_ROWS[0])


def test_the_service_changes_first_and_goes_back(versions: Versions) -> None:
    assert roll((versions.old, versions.new), *OLD_CALLERS).failures == []
    assert roll((versions.new,), *OLD_CALLERS, *NEW_CALLERS).failures == []
    assert roll((versions.new, versions.old), *OLD_CALLERS).failures == []


def test_clients_change_first_where_the_old_service_ignores_what_is_new(versions: Versions) -> None:
    assert roll((versions.ignoring,), *OLD_CALLERS, *NEW_CALLERS).failures == []
    assert roll((versions.ignoring, versions.new), *OLD_CALLERS, *NEW_CALLERS).failures == []


def test_clients_that_change_first_are_rejected_without_the_setting(versions: Versions) -> None:
    failures = roll((versions.old, versions.new), *NEW_CALLERS).failures
    assert any("`load`: unknown field" in one for one in failures), failures[:3]
    assert all("unknown field" in one for one in failures)


def test_two_replicas_of_different_schema_are_told_apart_by_their_digest(versions: Versions) -> None:
    def read(server: Server) -> str:
        digest: str = HTTP.get(f"{server.url}/v2/models/{NAME}").json()["properties"]["schema_digest"]
        return digest

    assert (read(versions.old), read(versions.new)) == (OLD.digest, NEW.digest)
    assert ask_http(versions.old, ROWS[0]).headers["x-model-version"] == "1"
    assert ask_http(versions.new, ROWS[0]).headers["x-model-version"] == "2"


def test_compare_schema(versions: Versions, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    old, new = versions.homes / "old" / "package", versions.homes / "new" / "package"
    assert main(["compare-schema", str(old), str(new)]) == 4
    said = capsys.readouterr().out
    assert said.splitlines()[0] == f"{old} → {new}: service first"
    assert "  `load` is an unknown field, callers send it (passes with UNKNOWN_FIELDS=ignore)" in said
    assert main(["compare-schema", str(new / "schema.json"), str(old / "schema.json"), "--json"]) == 5
    assert json.loads(capsys.readouterr().out)["verdict"] == "clients first"
    assert main(["compare-schema", str(old), str(old)]) == 0
    shutil.copy(old / "schema.json", tmp_path / "other.json")
    (tmp_path / "other.json").write_text((old / "schema.json").read_text().replace("binary", "ternary"))
    for wrong, sentence in (
        (tmp_path / "other.json", "is not a readable schema"),
        (tmp_path / "none.json", "is not there: name a schema.json"),
        (tmp_path, "holds no schema.json"),
        ("models:/x", "expected models:/NAME@ALIAS"),
        ("nothing:7", "there is no version 7 of `nothing`"),
    ):
        assert main(["compare-schema", str(old), str(wrong)]) == 2
        captured = capsys.readouterr().err
        assert (captured.startswith("error: "), captured.count("\n"), sentence in captured) == (True, 1, True), captured


def test_a_table_may_lack_an_optional_column(versions: Versions, tmp_path: Path) -> None:
    folder = versions.homes / "new" / "bentoml" / "models" / NAME / "2"
    model = open_model(folder, digest_of(folder / MANIFEST_FILE))

    def score(**columns: Any) -> list[float]:
        pd.DataFrame(ROWS).assign(**columns).to_parquet(tmp_path / "table.parquet")
        predict(model, FileSource(path=tmp_path / "table.parquet"), tmp_path / "scored.parquet")
        found: list[float] = pd.read_parquet(tmp_path / "scored.parquet")["prediction.probability"].tolist()
        return found

    assert score() == score(load=0.5) == score(load=0.5, gate=None)
    assert score() != score(load=0.1)
    with pytest.raises(InvalidTable, match="has no column `load`; did you mean `Load`"):
        score(Load=0.5)


def test_mlflows_model_reads_the_default() -> None:
    load, gate = (feature.model_dump(mode="json") for feature in ADDED)
    table = pd.DataFrame(ROWS)
    assert read_column(load, table).tolist() == [0.5, 0.5]
    assert read_column(gate, table).tolist() == ["", ""]
    required = [column.required for column in model_signature(NEW).inputs.inputs]
    assert required == [True, False, True, False, False]
