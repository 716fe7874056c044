"""The messages of the gRPC protocols, from the `.proto` files beside this one.

`make protos` compiles them into `descriptors.binpb`. They live in a pool of their own: a process
that also imports TensorFlow, tritonclient or tensorflow_serving has messages of the same names.
"""

from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

DESCRIPTORS_FILE = Path(__file__).parent / "descriptors.binpb"

pool: Any = DescriptorPool()
for _file in FileDescriptorSet.FromString(DESCRIPTORS_FILE.read_bytes()).file:
    pool.AddSerializedFile(_file.SerializeToString())


def message(name: str) -> Any:
    """Return the class of the message with that full name, such as `inference.ModelInferRequest`."""
    return GetMessageClass(pool.FindMessageTypeByName(name))


def enum(name: str) -> dict[str, int]:
    """Return the numbers of an enum's values by their names."""
    return {value.name: value.number for value in pool.FindEnumTypeByName(name).values}
