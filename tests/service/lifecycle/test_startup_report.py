from types import SimpleNamespace
from typing import Any

import pytest

from ekiben.service.lifecycle.platform import SAGEMAKER, UNKNOWN, Platform, recognise_platform
from ekiben.service.lifecycle.resource_limits import MIB, Limits
from ekiben.service.lifecycle.startup_report import describe, describe_routes, find_misconfigurations
from ekiben.service.settings import Settings

CLOUD_RUN = recognise_platform({"K_SERVICE": "flights"}, [])
MODEL: Any = SimpleNamespace(
    name="flight_delay",
    version="3",
    digest="ba5e",
    has_golden=True,
    manifest=SimpleNamespace(engine="litert", run_id="f00"),
)


def problems(
    platform: Platform = UNKNOWN,
    limits: Limits = Limits(),  # noqa: B008 — frozen
    environment: dict[str, str] | None = None,
    models: int = 1,
    engine: str = "litert",
    **settings: Any,
) -> list[str]:
    model: Any = SimpleNamespace(**vars(MODEL) | {"manifest": SimpleNamespace(engine=engine, run_id="f00")})
    return list(find_misconfigurations(Settings(**settings), [model] * models, platform, limits, environment or {}))


def test_it_says_platform_ports_engine_limits_and_model() -> None:
    lines = list(describe(Settings(port=80, grpc_server="grpcio"), [MODEL], CLOUD_RUN, Limits(1.5, 512 * MIB)))
    assert lines == [
        "platform: Cloud Run or Knative (K_SERVICE is set)",
        "ports: HTTP 80, gRPC 9000 (not reached from outside: Cloud Run or Knative has one port)",
        "engine: litert; workers: 1, threads of each: 1; 1.5 CPUs (cgroup quota); memory: 512 MiB",
        "SIGTERM: answers for DRAIN_DELAY_S=3 s more, and is gone within 9 s: the platform's grace period must be at "
        "least that long",
        "model: flight_delay version 3, run f00, manifest digest ba5e",
    ]


@pytest.mark.parametrize("settings", [{}, {"grpc_on_main_port": True, "grpc_server": "grpcio"}])
def test_on_one_port_grpc_is_reached_through_it(settings: dict[str, Any]) -> None:
    lines = list(describe(Settings(**settings), [MODEL], CLOUD_RUN, Limits()))
    assert lines[1] == "ports: HTTP 8080, gRPC 8080 and 9000"


@pytest.mark.parametrize("given", [False, True])
def test_a_setting_of_the_other_grpc_server_is_said_to_change_nothing(given: bool) -> None:
    def say(**settings: Any) -> str:
        return "\n".join(describe(Settings(**settings), [MODEL], UNKNOWN, Limits()))

    sentence = f"GRPC_ON_MAIN_PORT={int(given)} changes nothing: GRPC_SERVER=native answers gRPC on the HTTP port"
    assert sentence in say(grpc_on_main_port=given)
    assert "GRPC_ON_MAIN_PORT" not in say(grpc_on_main_port=given, grpc_server="grpcio")
    assert "GRPC_ON_MAIN_PORT" not in say()


def test_it_names_each_route_of_predictions_once() -> None:
    def protocol(*routes: tuple[str, str]) -> Any:
        return SimpleNamespace(routes=[SimpleNamespace(method=method, path=path) for method, path in routes])

    protocols = [
        protocol(("POST", "/predict"), ("GET", "/ping")),
        protocol(("POST", "/predict"), ("POST", "/invocations"), ("POST", "/v2/{rest:path}")),
    ]
    assert describe_routes(protocols) == "routes: POST /predict, /invocations"


def test_nothing_is_wrong_with_the_defaults() -> None:
    assert problems(limits=Limits(1.0, 400 * MIB)) == []
    assert problems(environment={"PORT": "8080"}) == []


@pytest.mark.parametrize(
    ("sentence", "given"),
    [
        ("a quota of 0.5 CPUs stops the service", {"limits": Limits(0.5)}),
        ("WORKERS=4 share 2 CPUs", {"limits": Limits(2.0), "workers": 4}),
        (
            "128 MiB of memory is too little: 1 × litert takes 176 or more to start, so the kernel will kill it (exit "
            "code 137): give it 300 or more",
            {"limits": Limits(None, 128 * MIB)},
        ),
        ("256 MiB of memory may not do: 1 × litert needs about 300", {"limits": Limits(None, 256 * MIB)}),
        (
            "512 MiB of memory may not do: 1 × tensorflow needs about 920",
            {"limits": Limits(None, 512 * MIB), "engine": "tensorflow"},
        ),
        (
            "512 MiB of memory may not do: 1 × litert with 50 models needs about 692",
            {"limits": Limits(None, 512 * MIB), "models": 50},
        ),
        (
            "384 MiB of memory may not do for a body of MAX_BODY_BYTES=8388608: give 396 MiB, or set "
            "MAX_BODY_BYTES=7340032",
            {"limits": Limits(1.0, 384 * MIB)},
        ),
        (
            "PORT=80 is ignored: SAGEMAKER_BIND_TO_PORT=81 goes before it",
            {"environment": {"PORT": "80", "SAGEMAKER_BIND_TO_PORT": "81"}},
        ),
        ("AIP_HEALTH_ROUTE is not set", {"environment": {"AIP_MODE": "PREDICTION", "AIP_PREDICT_ROUTE": "/p"}}),
        ("AUTH_TOKEN is set, but SageMaker passes no", {"platform": SAGEMAKER, "auth_token": "secret"}),
    ],
)
def test_what_is_set_wrong_is_said_in_one_sentence(sentence: str, given: dict[str, Any]) -> None:
    (problem,) = problems(**given)
    assert problem.startswith(sentence)


def test_an_aip_port_without_its_mode_is_no_contradiction() -> None:
    assert problems(environment={"PORT": "80", "AIP_HTTP_PORT": "81"}) == []
