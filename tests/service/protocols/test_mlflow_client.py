"""MLflow's own scoring client against the service, and the model MLflow holds beside it."""

import json
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.deployments import PredictionsResponse
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from ekiben.model.package import GOLDEN_FILE, PackedModel
from tests.conftest import NAME, PATIENCE_S, Server

pytestmark = pytest.mark.slow


@pytest.fixture
def client(server: Server) -> ScoringServerClient:
    return ScoringServerClient("127.0.0.1", int(server.url.rpartition(":")[2]))


@pytest.fixture(scope="module")
def golden(model: PackedModel) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((model.path / GOLDEN_FILE).read_text())
    return loaded


@pytest.fixture
def table(golden: dict[str, Any], model: PackedModel) -> pd.DataFrame:
    """The golden rows as pandas reads them: datetimes, and NaN for what is missing."""
    made = pd.DataFrame(golden["rows"], columns=list(model.schema.names))
    for feature in model.schema.timestamps:
        made[feature.name] = pd.to_datetime(made[feature.name])
    assert made.isna().to_numpy().any()
    return made


def test_the_client_gets_the_golden_answers(
    client: ScoringServerClient, table: pd.DataFrame, golden: dict[str, Any]
) -> None:
    client.wait_server_ready(timeout=PATIENCE_S)
    predictions = client.invoke(table, params={"ignored": 1}).get_predictions()
    assert list(predictions.columns) == ["probability", "label"]
    assert predictions["probability"].to_numpy() == pytest.approx(np.array(golden["answers"])[:, 0], abs=1e-5)
    assert predictions["label"].dtype == bool


def test_what_the_client_can_send_gets_the_same_answers(client: ScoringServerClient, table: pd.DataFrame) -> None:
    wanted = client.invoke(table)
    objects = table.astype(object)
    assert client.invoke(objects.where(table.notna(), None)) == wanted  # None for missing
    assert client.invoke(objects.where(table.notna(), np.nan)) == wanted  # NaN among strings
    assert client.invoke(table[list(reversed(table.columns))]) == wanted
    assert client.invoke(table.set_index(pd.Index(range(100, 100 + len(table))))) == wanted
    strings = table.assign(**{name: table[name].astype(str) for name in table.select_dtypes("datetime")})
    assert client.invoke(strings.to_dict("records")) == wanted  # a list is sent as `inputs`
    positional = strings.astype(object).where(table.notna(), None).to_numpy()
    assert client.invoke(positional) == wanted
    assert client.invoke(json.dumps({"dataframe_split": json.loads(table.to_json(orient="split", date_format="iso"))}))


def test_a_missing_datetime_is_missing(client: ScoringServerClient, table: pd.DataFrame, model: PackedModel) -> None:
    name = next(feature.name for feature in model.schema.timestamps)
    with pytest.raises(Exception, match=f"row 0: `{name}`: null is not allowed"):
        client.invoke(table[:2].assign(**{name: pd.NaT}))


def test_the_client_is_told_what_is_wrong(client: ScoringServerClient, table: pd.DataFrame) -> None:
    with pytest.raises(Exception, match=r"error code 400.*`distance`: missing; it is required"):
        client.invoke(table.drop(columns="distance"))
    with pytest.raises(Exception, match=r"error code 400.*`distanse`: unknown field; did you mean `distance`"):
        client.invoke(table.rename(columns={"distance": "distanse"}))


def test_a_column_too_many_is_ignored(client: ScoringServerClient, table: pd.DataFrame) -> None:
    assert client.invoke(table.assign(extra=1)) == client.invoke(table)


def test_mlflows_answer_reads_as_a_table(client: ScoringServerClient, table: pd.DataFrame) -> None:
    answered = client.invoke(table[:3])
    assert PredictionsResponse.from_json(answered.to_json()) == answered
    assert answered.get_predictions().shape == (3, 2)
    assert answered.get_predictions("ndarray").shape == (3,)


def test_the_version_is_a_text(client: ScoringServerClient) -> None:
    assert client.get_version().count(".") == 2


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow of its own module
def test_the_champion_in_mlflow_answers_alike(
    client: ScoringServerClient, table: pd.DataFrame, golden: dict[str, Any], model: PackedModel
) -> None:
    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    served = client.invoke(table).get_predictions()
    answers = loaded.predict(table, params={"all_outputs": True})
    assert answers["probability"].to_numpy() == pytest.approx(served["probability"].to_numpy(), abs=1e-5)
    assert loaded.predict(table).tolist() == answers["label"].tolist()
    assert len(loaded.input_example) == 5
