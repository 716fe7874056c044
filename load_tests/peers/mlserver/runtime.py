"""MLServer's runtime for a packed model; MLServer imports it in its own environment."""

from pathlib import Path

import numpy as np
from mlserver import MLModel  # type: ignore[import-not-found]
from mlserver.codecs import NumpyCodec, StringCodec  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput  # type: ignore[import-not-found]

from contract.encode import Encoder
from contract.schema import load_schema
from contract.tensors import Column, ColumnReader, to_tensors
from service.engine import LiteRTEngine


class EncodedRuntime(MLModel):  # type: ignore[misc]
    """Decodes with MLServer's codecs, then checks, encodes and computes as the service does."""

    async def load(self) -> bool:
        """Open the model that MLSERVER_MODEL_URI names."""
        folder = Path(self.settings.parameters.uri)
        schema = load_schema(folder / "schema.json")
        self.target = schema.target
        self.reader = ColumnReader(schema)
        self.encoder = Encoder(schema)
        self.engine = LiteRTEngine(folder / "model.tflite")
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch that MLServer made of several requests."""
        rows = self.reader.to_rows({tensor.name: self.read(tensor) for tensor in payload.inputs})
        answers = to_tensors(self.target, self.engine.run(self.encoder.encode_rows(rows)))
        outputs = [NumpyCodec.encode_output(name, np.asarray(values)) for name, values in answers.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    def read(self, tensor: RequestInput) -> Column:
        """Return a tensor's values."""
        codec = StringCodec if tensor.datatype == "BYTES" else NumpyCodec
        decoded = self.decode(tensor, default_codec=codec)
        values: Column = decoded.tolist() if isinstance(decoded, np.ndarray) else decoded
        return values
