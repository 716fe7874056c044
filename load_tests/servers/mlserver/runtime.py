"""MLServer's runtime for a packed model; MLServer imports it in its own environment."""

import numpy as np
from mlserver import MLModel  # type: ignore[import-not-found]
from mlserver.codecs import NumpyCodec, StringCodec  # type: ignore[import-not-found]
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput  # type: ignore[import-not-found]

from ekiben.contract.columns import Column
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.tensors import to_tensors
from ekiben.load_tests.servers.packed_model import open_packed


class EncodedRuntime(MLModel):  # type: ignore[misc]
    """Decodes with MLServer's codecs, then checks, encodes and computes as the service does."""

    async def load(self) -> bool:
        """Open the model."""
        self.packed = open_packed("LiteRT")
        self.reader = TensorDecoder(self.packed.schema)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer a batch that MLServer made of several requests."""
        given = {tensor.name: self.read(tensor) for tensor in payload.inputs}
        rows = self.reader.to_columns(given, nans=True).to_rows()
        answers = to_tensors(self.packed.schema.target, self.packed.network.answer(rows))
        outputs = [NumpyCodec.encode_output(name, np.asarray(values)) for name, values in answers.items()]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    def read(self, tensor: RequestInput) -> Column:
        """Return a tensor's values."""
        codec = StringCodec if tensor.datatype == "BYTES" else NumpyCodec
        decoded = self.decode(tensor, default_codec=codec)
        values: Column = decoded.ravel().tolist() if isinstance(decoded, np.ndarray) else decoded
        return values
