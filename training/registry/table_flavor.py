"""The model as MLflow keeps it: Keras' own, which `mlflow.keras.load_model` loads, with tables for `pyfunc`."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, TensorSpec
from mlflow.types import Schema as MlflowSchema
from mlflow.types.schema import AnyType

from ekiben.contract.feature import Category, Feature
from ekiben.contract.schema import Schema, Target
from ekiben.training.registry import table_model

CODE_FOLDER, MODULE = "code", "ekiben_table_model"  # the module's name where it is not ours


class TableFlavor:
    """What `Model.log` calls to write the model."""

    @staticmethod
    def save_model(path: str, mlflow_model: Model, schema: Schema, signature: ModelSignature, **options: Any) -> None:
        """Write a Keras model, and what makes tables of it in place of Keras' wrapper, which takes tensors only."""
        folder = Path(path)
        folder.mkdir(parents=True)  # or 3.17.2 can't write the example into it
        with _without_signature():
            mlflow.keras.save_model(path=path, mlflow_model=mlflow_model, **options)
        (folder / table_model.SCHEMA_FILE).write_text(json.dumps(schema.model_dump(mode="json")))
        (folder / CODE_FOLDER).mkdir()
        shutil.copy(table_model.__file__, folder / CODE_FOLDER / f"{MODULE}.py")
        mlflow_model.signature = signature
        mlflow.pyfunc.add_to_model(
            mlflow_model, MODULE, code=CODE_FOLDER, conda_env="conda.yaml", python_env="python_env.yaml"
        )
        mlflow_model.save(str(folder / "MLmodel"))


def model_signature(schema: Schema) -> ModelSignature:
    """Return the MLflow signature: a column for each feature, optional if it may be absent; a label or value out.

    Only strings have a type. MLflow rejects whole numbers in a `double` column of a DataFrame, rounds those of a `long`
    one that are not whole, makes False of a missing `boolean` and takes no strings for a `datetime`: the model reads
    the values of those columns itself.
    """
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(_column_type(one), one.name, required=not (one.nullable or one.optional)) for one in schema.features
    ]
    target = schema.target
    params = [ParamSpec(table_model.ALL_OUTPUTS, DataType.boolean, default=False)]
    if target.task == "binary":
        params.append(ParamSpec(table_model.THRESHOLD, DataType.double, default=target.threshold))
    return ModelSignature(MlflowSchema(columns), MlflowSchema([ColSpec(_label_type(target))]), ParamSchema(params))


def _column_type(feature: Feature) -> DataType | AnyType:
    return DataType.string if isinstance(feature, Category) and not feature.integers else AnyType()


def _label_type(target: Target) -> DataType:
    kinds = set(map(type, target.classes)) or {float}
    types = {bool: DataType.boolean, int: DataType.long, float: DataType.double}
    return types.get(kinds.pop(), DataType.string) if len(kinds) == 1 else DataType.string


@contextmanager
def _without_signature() -> Iterator[None]:
    """Let MLflow save a Keras model with no signature: it takes none of columns, and warns."""
    logger = logging.getLogger("mlflow.keras.save")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
