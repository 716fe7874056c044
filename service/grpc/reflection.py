"""gRPC reflection: clients ask which methods and messages there are, under both names that it goes by."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from ekiben.service.grpc.codes import Code
from ekiben.service.grpc.context import StreamContext
from ekiben.service.grpc.message_parsing import parse
from ekiben.service.grpc.record import ServerState
from ekiben.service.grpc.stream import Receive, StreamLimit, StreamMethod
from ekiben.service.protos import message, pool

SERVICES = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
MAX_REFLECTION_STREAMS = (
    8  # a client has one, for as long as it takes to ask; each may hold a message of the largest size
)
NOTHING_ASKED = "ask for a file, a symbol, an extension or the list of services"

Request = message("grpc.reflection.v1.ServerReflectionRequest")
Response = message("grpc.reflection.v1.ServerReflectionResponse")


def describe_reflection(names: Iterable[str], state: ServerState) -> dict[str, dict[str, Any]]:
    """Return what describes the services of these names, by service and method."""
    reflection = Reflection(names)

    async def answer(receive: Receive, context: StreamContext) -> None:
        while (asked := await receive()) is not None:
            await context.write(reflection.answer(parse(Request, asked, 0)).SerializeToString())

    method = StreamMethod(state, StreamLimit(MAX_REFLECTION_STREAMS, "reflection"), answer)
    return {name: {"ServerReflectionInfo": method} for name in SERVICES}  # v1alpha has the messages of v1


class Reflection:
    """Answers one question after the other."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)
        self._answers: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
            "file_by_filename": lambda name: describe_file(pool.FindFileByName(name)),
            "file_containing_symbol": lambda name: describe_file(pool.FindFileContainingSymbol(name)),
            "file_containing_extension": describe_extension,
            "all_extension_numbers_of_type": list_extensions,
            "list_services": lambda _: {"list_services_response": {"service": [{"name": n} for n in self._names]}},
        }

    def answer(self, request: Any) -> Any:
        """Return the response to a question."""
        asked = request.WhichOneof("message_request")
        if asked is None:
            return describe_error(request, Code.INVALID_ARGUMENT, NOTHING_ASKED)
        try:
            answered = self._answers[asked](getattr(request, asked))
        except KeyError:
            return describe_error(request, Code.NOT_FOUND, "there is none of that name here")
        return Response(original_request=request, valid_host=request.host, **answered)


def describe_error(request: Any, code: Code, sentence: str) -> Any:
    """Return what a question gets that has no answer; the stream goes on."""
    error = {"error_code": code, "error_message": sentence}
    return Response(original_request=request, valid_host=request.host, error_response=error)


def describe_file(descriptor: Any) -> Mapping[str, Any]:
    """Return a file and all that it imports."""
    files = {one.name: one for one in walk_imports(descriptor)}
    return {"file_descriptor_response": {"file_descriptor_proto": [serialize(one) for one in files.values()]}}


def walk_imports(descriptor: Any) -> Iterator[Any]:
    """Yield a file and all that it imports, some of them more than once."""
    yield descriptor
    for one in descriptor.dependencies:
        yield from walk_imports(one)


def serialize(descriptor: Any) -> bytes:
    """Return a file's descriptor as protobuf has it on the wire."""
    proto = FileDescriptorProto()
    descriptor.CopyToProto(proto)
    return proto.SerializeToString()


def describe_extension(request: Any) -> Mapping[str, Any]:
    """Return the file of an extension."""
    extended = pool.FindMessageTypeByName(request.containing_type)
    found = pool.FindExtensionByNumber(extended, request.extension_number)
    return describe_file(pool.FindFileContainingSymbol(found.full_name))


def list_extensions(name: str) -> Mapping[str, Any]:
    """Return the numbers of a message's extensions."""
    extended = pool.FindMessageTypeByName(name)
    numbers = sorted(one.number for one in pool.FindAllExtensions(extended))
    return {"all_extension_numbers_response": {"base_type_name": name, "extension_number": numbers}}
