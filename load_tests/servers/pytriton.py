"""Triton with the same model, through PyTriton.

Run `GRPC_PORT=… python -m ekiben.load_tests.servers.pytriton LiteRT PORT`.

As its documentation has it: the function is bound once, takes whole batches (`@batch`), and
Triton's dynamic batcher makes these. Triton's guide starts from the batcher as it comes, which
never holds a request back, and sets a delay only where measuring shows a gain: 1 and 5 ms
brought none. Its guide to installing says to put Python's own library where the server's stub
finds it.
"""

import os
import sys
import sysconfig
from typing import Any

import numpy as np
from pytriton.decorators import batch  # type: ignore[import-not-found]
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor  # type: ignore[import-not-found]
from pytriton.triton import Triton, TritonConfig  # type: ignore[import-not-found]

from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.tensors import TensorSpec, input_specs, output_specs, to_tensors
from ekiben.load_tests.servers.packed_model import NAME, Packed, open_packed

MAX_BATCH_ROWS = 1024  # 16 requests of 64 rows in one batch
TYPES = {"FP32": np.float32, "INT64": np.int64, "BOOL": np.bool_, "BYTES": bytes}


def main(engine: str, port: int) -> None:
    """Serve on that port for HTTP and GRPC_PORT for gRPC."""
    os.environ["LD_LIBRARY_PATH"] = str(sysconfig.get_config_var("LIBDIR"))
    packed = open_packed(engine)
    grpc_port = int(os.environ["GRPC_PORT"])
    config = TritonConfig(
        http_address="127.0.0.1", http_port=port, grpc_address="127.0.0.1", grpc_port=grpc_port, allow_metrics=False
    )
    with Triton(config=config) as triton:
        triton.bind(
            os.environ[NAME],
            Inference(packed),
            [to_tensor(spec) for spec in input_specs(packed.schema)],
            [to_tensor(spec) for spec in output_specs(packed.schema.target)],
            config=ModelConfig(max_batch_size=MAX_BATCH_ROWS, batcher=DynamicBatcher()),
        )
        triton.serve()


def to_tensor(spec: TensorSpec) -> Any:
    """Return a tensor of the signature; Triton adds the rows before its width."""
    return Tensor(name=spec.name, dtype=TYPES[spec.datatype], shape=(spec.width or 1,))


class Inference:
    """Answers a batch that Triton made of several requests."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self._reader = TensorDecoder(packed.schema)

    @batch  # type: ignore[untyped-decorator]
    def __call__(self, **columns: Any) -> dict[str, Any]:
        given = {name: _read(column[:, 0]) for name, column in columns.items()}
        rows = self._reader.to_columns(given, nans=True).to_rows()
        answers = to_tensors(self._packed.schema.target, self._packed.network.answer(rows))
        return {name: np.asarray(values).reshape(len(rows), -1) for name, values in answers.items()}


def _read(column: Any) -> Any:
    return [text.decode() for text in column] if column.dtype.kind in "OS" else column.tolist()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
