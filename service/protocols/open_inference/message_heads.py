"""What messages of one row say before its raw values: the same bytes, but for an id, in all messages of a caller.

Such a message is not parsed: what its head says is known, and where each value lies follows from the lengths of its
strings. All other bytes are compared, so that it says nothing else; whatever differs goes to protobuf's parser.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ekiben.service.offload import LARGE_BYTES
from ekiben.service.protocols.open_inference.datatypes import DATATYPES, Datatype
from ekiben.service.protocols.open_inference.row_form import MAX_ONE_BYTE, RAW_TAG, RowForm, describe_row
from ekiben.service.protos import message

InferRequest = message("ekiben.ModelInferRequest")
InputTensor = message("inference.ModelInferRequest.InferInputTensor")
ID_TAG = b"\x1a"  # of the field id, on the wire
ONE_ROW = ([1], [1, 1])  # shapes
MAX_HEADS, MAX_HEAD_BYTES, MAX_FORMS = 16, 16_384, 64  # of a head as many forms of rows: by how long its strings are
HASHES = 256  # of heads that came once, or inverted, that were looked at


@dataclass(slots=True, eq=False)
class MessageHead:
    """What is said before the values."""

    before: bytes  # its id
    after: bytes
    said: Any  # an InferRequest of it, without the id
    datatypes: Sequence[Datatype]
    inputs: Sequence[bytes] = ()  # tensors
    strings: Sequence[int] = ()  # which values are strings
    gaps: Sequence[int] = ()  # bytes from one string's end to the byte with the next one's length
    forms: dict[tuple[int, ...], RowForm] = field(default_factory=dict)  # by the sizes of the strings

    def __post_init__(self) -> None:
        self.inputs = tuple(self.said.inputs)
        self.strings = [index for index, datatype in enumerate(self.datatypes) if not datatype.size]
        gaps, gap = [], 0
        for datatype in self.datatypes:
            if datatype.size:
                gap += len(RAW_TAG) + 1 + datatype.size
            else:
                gaps.append(gap + len(RAW_TAG))
                gap = 0
        self.gaps = gaps

    def read_row(self, body: bytes, at: int) -> list[Any] | None:
        """Return the values that begin there; None unless they are a row of a known form, and all there is."""
        sizes, string_at = [], at
        try:
            for gap in self.gaps:
                size = body[string_at + gap]
                sizes.append(size)
                string_at += gap + 1 + size
        except IndexError:
            return None
        form = self.forms.get(tuple(sizes))
        if form is None or len(body) - at != form.size:
            return None
        if int.from_bytes(body[at:], "little") & form.mask != form.frame:
            return None
        row: list[Any] = list(form.values.unpack_from(body, at))
        try:
            for index in self.strings:
                row[index] = row[index].decode()
        except UnicodeDecodeError:
            return None
        return row

    def learn_form(self, contents: Sequence[bytes]) -> None:
        """Remember how such contents lie."""
        if len(contents) != len(self.datatypes) or len(self.forms) >= MAX_FORMS:
            return
        key = tuple([len(contents[index]) for index in self.strings])
        if key in self.forms:
            return
        form = describe_row(self.datatypes, contents)
        if form is not None:
            self.forms[key] = form


@dataclass(slots=True, eq=False)
class KnownMessage:
    """A message of one row with a known head."""

    head: MessageHead
    id: str
    row: list[Any]  # its values

    @property
    def model_name(self) -> str:
        """Whose answer is asked for."""
        return str(self.head.said.model_name)

    @property
    def model_version(self) -> str:
        """Which one's, "" if that is all the same."""
        return str(self.head.said.model_version)


class MessageHeads:
    """Reads messages of inference, where the class of such messages would: those that are not known are of that."""

    DESCRIPTOR = InferRequest.DESCRIPTOR

    def __init__(self) -> None:
        self._known: list[MessageHead] = []  # what is used more comes forward
        self._once = [0] * HASHES

    def FromString(self, body: bytes) -> Any:
        """Return the message; raise DecodeError if it is none."""
        if len(body) > LARGE_BYTES:  # off the event loop
            return InferRequest.FromString(body)
        for index, head in enumerate(self._known):
            if body.startswith(head.before) and (read := read_id(body, len(head.before))):
                request_id, at = read
                if body.startswith(head.after, at):
                    if index:
                        self._known[index - 1 : index + 1] = head, self._known[index - 1]
                    row = head.read_row(body, at + len(head.after))
                    if row is not None:
                        return KnownMessage(head, request_id, row)
                    request = InferRequest.FromString(body)
                    head.learn_form(request.raw_input_contents)
                    return request
        request = InferRequest.FromString(body)
        self._learn(body, request)
        return request

    def _learn(self, body: bytes, request: Any) -> None:
        """Remember the head of a message that came before, if it is of one row."""
        contents = request.raw_input_contents
        if not contents or len(contents[0]) > MAX_ONE_BYTE or max(map(len, contents)) > MAX_ONE_BYTE:
            return
        values = b"".join([RAW_TAG + bytes((len(one),)) + one for one in contents])
        before = InferRequest(model_name=request.model_name, model_version=request.model_version).SerializeToString()
        read = read_id(body, len(before)) if body.startswith(before) else None
        if read is None or not body.endswith(values) or len(body) - len(values) > MAX_HEAD_BYTES:
            return
        after = body[read[1] : len(body) - len(values)]
        hashed = hash((before, after))
        seen, self._once[hashed % HASHES] = self._once[hashed % HASHES], hashed
        if seen == ~hashed:
            self._once[hashed % HASHES] = seen
        if seen != hashed:
            return
        self._once[hashed % HASHES] = ~hashed
        head = make_head(before, after)
        if head is not None:
            head.learn_form(contents)
            self._known = [*self._known[: MAX_HEADS - 1], head]


def read_id(body: bytes, at: int) -> tuple[str, int] | None:
    """Return the id that stands there, "" if none does, and where it ends; None if it is an odd one."""
    if body[at : at + 1] != ID_TAG:
        return "", at
    start = at + 2
    stop = start + body[start - 1] if len(body) >= start else 0
    if not start < stop <= min(start + MAX_ONE_BYTE, len(body)):
        return None
    try:
        return body[start:stop].decode(), stop
    except UnicodeDecodeError:
        return None


def make_head(before: bytes, after: bytes) -> MessageHead | None:
    """Return what is said by those bytes; None if it is more than which tensors of one row, and what is wanted."""
    rest = InferRequest.FromString(after)
    others = rest.model_name or rest.model_version or rest.id or rest.parameters or rest.raw_input_contents
    if others or after.startswith(ID_TAG):
        return None
    tensors = [InputTensor.FromString(tensor) for tensor in rest.inputs]
    datatypes = [DATATYPES.get(tensor.datatype) for tensor in tensors]
    known = [one for one in datatypes if one is not None and (one.code or not one.size)]
    typed = any(tensor.HasField("contents") or tensor.shape[:] not in ONE_ROW for tensor in tensors)
    if typed or len(known) < len(tensors):
        return None
    return MessageHead(before, after, InferRequest.FromString(before + after), known)
