import pytest

from ekiben.service.lifecycle.platform import recognise_platform


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"AIP_MODE": "PREDICTION", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Vertex AI"),
        ({"SAGEMAKER_BIND_TO_PORT": "8081"}, "SageMaker"),
        ({"AZUREML_MODEL_DIR": "/m", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Azure ML"),
        ({"K_SERVICE": "flights", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Cloud Run or Knative"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x"}, "Amazon ECS"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Kubernetes"),
    ],
)
def test_a_platform_is_recognised_by_its_variables(environment: dict[str, str], name: str) -> None:
    platform = recognise_platform(environment, ["python", "-m", "ekiben.service"])
    assert platform.name == name
    assert platform.reason == f"{next(iter(environment))} is set"


def test_without_variables_the_serve_argument_means_sagemaker() -> None:
    assert recognise_platform({}, ["python", "-m", "ekiben.service", "serve"]).name == "SageMaker"


def test_bentomls_own_serve_means_nothing() -> None:
    assert recognise_platform({}, ["python", "-m", "bentoml", "serve"]).name == "unknown"


@pytest.mark.parametrize("environment", [{}, {"AIP_MODE": ""}, {"AIP_HTTP_PORT": "8080"}, {"PORT": "80"}])
def test_what_gives_no_platform_away_is_none(environment: dict[str, str]) -> None:
    assert recognise_platform(environment, ["bentoml", "--port", "80"]).name == "unknown"
