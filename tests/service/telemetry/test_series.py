"""Series have bounded labels, are there from the start, and can be had under their old names."""

import json
import re

import pytest
from prometheus_client import REGISTRY, Gauge

from ekiben.model.package import PackedModel
from ekiben.service.error_status import GRPC_CODES
from ekiben.service.protocols.protocol import Method, Operation, Protocol, Route
from ekiben.service.settings import Settings
from ekiben.service.telemetry.build_info import LABELS, UNKNOWN, describe_build
from ekiben.service.telemetry.codes import classify
from ekiben.service.telemetry.initial_zeros import begin_at_zero, find_codes
from ekiben.service.telemetry.multiprocess import KINDS
from ekiben.service.telemetry.old_names import add_old_names
from ekiben.service.telemetry.series import get_series
from ekiben.service.unknown_fields import Fields
from tests.conftest import Server
from tests.every_kind import SCHEMA
from tests.http_client import HTTP


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (200, "2xx"), (204, "2xx"), (302, "3xx"), (401, "4xx"), (499, "4xx"), (500, "5xx"), (504, "5xx"),
        ("OK", "2xx"), ("UNAUTHENTICATED", "4xx"), ("CANCELLED", "4xx"), ("RESOURCE_EXHAUSTED", "4xx"),
        ("INTERNAL", "5xx"), ("UNKNOWN", "5xx"), ("DATA_LOSS", "5xx"),
    ],
)  # fmt: skip
def test_codes_have_a_class(code: int | str, expected: str) -> None:
    assert classify(code) == expected


def test_a_protocol_classes_its_errors_alike_over_http_and_grpc() -> None:
    alike = {status: code.name for status, code in GRPC_CODES.items() if status not in (408, 507)}
    assert [status for status, name in alike.items() if classify(status) != classify(name)] == []


async def answer(*_: object) -> bytes:
    return b""


def test_what_answers_rows_begins_with_each_code_and_nothing_else_does() -> None:
    rows = Route("POST", "/a", answer, operation=Operation("rows", rows=True))
    other = Route("GET", "/b", answer, operation=Operation("none"))
    method = Method(None, answer, rows=True)
    protocols = [Protocol("a", (rows, other), {"A": {"Infer": method}}), Protocol("b", (other,), {"B": {}})]
    found = list(find_codes(protocols))
    assert {label for label, _ in found} == {"a", "a_grpc"}
    assert {("a", 200), ("a", 500), ("a_grpc", "OK"), ("a_grpc", "INTERNAL")} <= set(found)
    assert len(set(found)) == 12


def test_old_names_come_after_the_new_ones_but_for_what_is_new() -> None:
    new = (
        b"# HELP ekiben_model_info The model.\n# TYPE ekiben_model_info gauge\n"
        b'ekiben_model_info{model="ekiben_x"} 1.0\nprocess_open_fds 3.0\nekiben_build_info{a="b"} 1.0\n'
    )
    old = b'# HELP model_info The model.\n# TYPE model_info gauge\nmodel_info{model="ekiben_x"} 1.0\n'
    assert add_old_names(new) == new + old


def test_build_info_says_where_the_model_comes_from(model: PackedModel) -> None:
    said = dict(zip(LABELS, describe_build(model), strict=True))
    assert model.provenance
    assert said["commit"] == model.provenance.definition.source.commit
    assert said["data_digest"] == model.provenance.definition.data.digest != UNKNOWN


def test_a_model_without_provenance_has_an_unknown_origin(model: PackedModel) -> None:
    files = {name: digest for name, digest in model.manifest.files.items() if name != "provenance.json"}
    manifest = model.manifest.model_copy(update={"files": files})
    bare = type(model)(model.path, model.schema, manifest, model.digest)
    assert describe_build(bare)[1:3] == (UNKNOWN, UNKNOWN)


@pytest.mark.slow
def test_a_service_counts_from_zero_and_says_what_it_is(server: Server, model: PackedModel) -> None:
    text = HTTP.get(f"{server.url}/metrics").text
    for series in (
        r'ekiben_inference_requests_total\{code="500",protocol="predict"\} ',
        r'ekiben_inference_requests_total\{code="RESOURCE_EXHAUSTED",protocol="open_inference_grpc"\} ',
        r'ekiben_inference_requests_total\{code="401",protocol="front_door"\} ',
        r'ekiben_inference_requests_total\{code="408",protocol="admission"\} ',
        r'ekiben_inference_rejected_total\{protocol="invocations",reason="overloaded"\} ',
        r"ekiben_worker_starts_total 1\.0",
        r"process_resident_memory_bytes ",
    ):
        assert re.search(f"^{series}", text, re.MULTILINE), series
    (line,) = re.findall(r"^ekiben_build_info\{(.*)\} 1\.0$", text, re.MULTILINE)
    said = {name: json.loads(value) for name, value in re.findall(r'(\w+)=("[^"]*")', line)}
    assert tuple(said[name] for name in LABELS) == describe_build(model)
    assert "\nmodel_info{" not in text


def test_a_file_is_made_at_the_start_for_every_kind_of_series() -> None:
    modes = {one._multiprocess_mode for one in vars(get_series()).values() if isinstance(one, Gauge)}
    assert {f"gauge_{mode}" for mode in modes} == {kind for kind in KINDS if kind.startswith("gauge")}


@pytest.mark.parametrize(("ignore", "count"), [(True, 0.0), (False, None)])
def test_unknown_fields_are_counted_from_zero_where_they_are_ignored(ignore: bool, count: float | None) -> None:
    schema = SCHEMA.model_copy(update={"name": f"ignores_{ignore}"})
    Fields(schema, ignore)
    assert REGISTRY.get_sample_value("ekiben_unknown_fields_total", {"model": schema.name}) == count


def test_who_is_not_let_in_is_counted_from_zero() -> None:
    begin_at_zero([], Settings())
    for code in ("401", "403"):
        labels = {"protocol": "front_door", "code": code}
        assert REGISTRY.get_sample_value("ekiben_inference_requests_total", labels) is not None
