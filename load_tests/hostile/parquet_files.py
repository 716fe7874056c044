"""Parquet files that no honest writer writes, a column `size` each: what is in them is said, not checked."""

import gzip
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ekiben.service.parquet.thrift import BYTES, I32, I64, LIST, STRUCT, write_list, write_struct

INT64, BYTE_ARRAY = 2, 6
PLAIN, RLE, DELTA_BYTE_ARRAY, RLE_DICTIONARY = 0, 3, 7, 8
CODECS = {"none": 0, "snappy": 1, "gzip": 2, "brotli": 4, "zstd": 6, "lz4_raw": 7}
MAGIC = b"PAR1"


def to_parquet(table: pa.Table, **options: Any) -> bytes:
    output = io.BytesIO()
    pq.write_table(table, output, **options)
    return output.getvalue()


def varint(value: int) -> bytes:
    output = b""
    while value > 127:
        output += bytes([value & 127 | 128])
        value >>= 7
    return output + bytes([value])


def run(count: int, value: bytes = b"\1") -> bytes:
    """One value so many times, in Parquet's RLE."""
    return varint(count << 1) + value


def page(content: bytes, values: int, unpacked: int | None = None, encoding: int = PLAIN, kind: int = 0) -> bytes:
    """A page of data, or with kind 2 of a dictionary."""
    size = len(content) if unpacked is None else unpacked
    about = [(1, I32, values), (2, I32, encoding)] + ([(3, I32, RLE), (4, I32, RLE)] if kind == 0 else [])
    header = [
        (1, I32, kind),
        (2, I32, size),
        (3, I32, len(content)),
        (5 if kind == 0 else 7, STRUCT, write_struct(about)),
    ]
    return write_struct(header) + content


def with_levels(values: int, content: bytes) -> bytes:
    """What a page of a nullable column holds, none of whose values is null."""
    levels = run(values)
    return len(levels).to_bytes(4, "little") + levels + content


def end(body: bytes, footer: bytes, magic: bytes = MAGIC) -> bytes:
    return body + footer + len(footer).to_bytes(4, "little") + magic


def footer(
    schema: Sequence[bytes], rows: int, groups: Sequence[bytes], extra: Sequence[tuple[int, int, Any]] = ()
) -> bytes:
    fields = [(1, I32, 2), (2, LIST, write_list(STRUCT, schema)), (3, I64, rows)]
    return write_struct([*fields, (4, LIST, write_list(STRUCT, groups)), *extra])


def root(children: int) -> bytes:
    return write_struct([(4, BYTES, b"schema"), (5, I32, children)])


def element(name: bytes = b"size", kind: int = INT64) -> bytes:
    return write_struct([(1, I32, kind), (3, I32, 1), (4, BYTES, name)])


def chunk(
    kind: int, rows: int, packed: int, unpacked: int, codec: int = 0, start: int = 4, name: bytes = b"size"
) -> bytes:
    metadata = [
        (1, I32, kind), (2, LIST, write_list(I32, (PLAIN,))), (3, LIST, write_list(BYTES, (name,))),
        (4, I32, codec), (5, I64, rows), (6, I64, unpacked), (7, I64, packed), (9, I64, start),
    ]  # fmt: skip
    return write_struct([(2, I64, start), (3, STRUCT, write_struct(metadata))])


def group(rows: int, chunks: Sequence[bytes]) -> bytes:
    return write_struct([(1, LIST, write_list(STRUCT, chunks)), (2, I64, 1), (3, I64, rows)])


def one_column(
    pages: bytes, rows: int, kind: int = INT64, codec: int = 0, unpacked: int | None = None, name: bytes = b"size"
) -> bytes:
    """A file of one column of these pages."""
    held = chunk(kind, rows, len(pages), len(pages) if unpacked is None else unpacked, codec, name=name)
    return end(MAGIC + pages, footer([root(1), element(name, kind)], rows, [group(rows, [held])]))


def constant(rows: int, name: bytes = b"size") -> bytes:
    """A hundred bytes of so many rows."""
    dictionary = page((7).to_bytes(8, "little"), 1, kind=2)
    values = page(with_levels(rows, b"\1" + run(rows, b"\0")), rows, encoding=RLE_DICTIONARY)
    return one_column(dictionary + values, rows, name=name)


def bomb(codec: str, size: int, name: bytes = b"size") -> bytes:
    """A page that unpacks to more than it says."""
    content = bytes(size)
    packed = gzip.compress(content) if codec == "gzip" else pa.Codec(codec).compress(content, asbytes=True)
    return one_column(page(packed, 1, unpacked=1000), 1, codec=CODECS[codec], unpacked=1000, name=name)


def repeated_text(rows: int, size: int, name: str = "size") -> bytes:
    """A long text that a dictionary holds once, for each row."""
    strings = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * size]))
    return to_parquet(pa.table({name: strings}), compression="zstd", store_schema=False)


def delta_text(rows: int, size: int, name: bytes = b"size") -> bytes:
    """A long text of which each row but the first says only: the same again."""
    table = pa.table({name.decode(): ["x" * size] * rows})
    return to_parquet(
        table, use_dictionary=False, column_encoding={name.decode(): "DELTA_BYTE_ARRAY"}, data_page_size=2**30,
        compression="zstd", store_schema=False,
    )  # fmt: skip


def nested(depth: int) -> bytes:
    """A footer of structs in structs."""
    return end(MAGIC, b"\x5c" + b"\x1c" * depth + b"\0" * depth + b"\0")


def attacks() -> Mapping[str, bytes]:
    """What may harm a reader, by name."""
    good = to_parquet(pa.table({"size": [1.5, None]}))
    plain = page(with_levels(1, bytes(8)), 1)
    many = 100_000
    empty_group, small_group = group(0, [chunk(INT64, 0, 0, 0)]), group(1, [chunk(INT64, 1, len(plain), len(plain))])
    hidden = write_struct([(2, I64, 4), (8, STRUCT, b"\0")])
    return {
        "a billion rows": constant(10**9),
        "a string in a dictionary": repeated_text(20_000, 20_000_000, "colour"),
        "a shorter text in a dictionary": repeated_text(20_000, 1_000_000, "colour"),
        "a string of 2 KB in a dictionary": repeated_text(20_000, 2_000, "colour"),
        "a string by prefixes": delta_text(20_000, 100_000, b"colour"),
        "a page of 2 GB": one_column(page(with_levels(1, bytes(8)), 1, unpacked=2**31 - 1), 1),
        "a packed page of 2 GB": one_column(page(bytes(99), 1, unpacked=2**31 - 1), 1, codec=CODECS["zstd"]),
        "a dictionary of 2 billion": one_column(page(bytes(8), 2**31 - 1, kind=2) + plain, 1),
        **{f"a bomb of {codec}": bomb(codec, 200_000_000) for codec in ("gzip", "zstd", "brotli", "snappy", "lz4_raw")},
        "a footer beyond the file": MAGIC + bytes(20) + (10**6).to_bytes(4, "little") + MAGIC,
        "a footer of 4 GB": MAGIC + bytes(20) + b"\xff" * 4 + MAGIC,
        "a nested footer": nested(4_000_000),
        "a nested footer of 1 MB": nested(500_000),
        "many columns": end(MAGIC, footer([root(many)] + [element(b"%d" % i) for i in range(many)], 1, [])),
        "some columns": end(MAGIC, footer([root(20_000)] + [element(b"%d" % i) for i in range(20_000)], 1, [])),
        "many row groups": end(MAGIC, footer([root(1), element()], 0, [empty_group] * many)),
        "many small row groups": end(MAGIC + plain, footer([root(1), element()], 15_000, [small_group] * 15_000)),
        "fewer than no rows": end(MAGIC, footer([root(1), element()], -1, [group(-1, [chunk(INT64, -1, 0, 0)])])),
        "a list of two billion": end(MAGIC, b"\x15\x04\x19\xfc\xff\xff\xff\xff\x07"),
        "an endless number": end(MAGIC, b"\x15" + b"\xff" * 50),
        "an encrypted footer": good[:-4] + b"PARE",
        "encrypted": end(MAGIC, footer([root(1), element()], 1, [group(1, [hidden])], [(8, STRUCT, b"\0")])),
        "no columns": end(MAGIC, footer([root(0)], 1, [group(1, [])])),
        "more values than rows": one_column(page(with_levels(10**6, bytes(8)), 10**6), 1),
        "pages without end": one_column(page(b"", 0) * 100_000, 1),
    }  # fmt: skip
