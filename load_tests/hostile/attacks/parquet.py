"""Parquet files that unpack to more than they are, or claim what they don't hold."""

import random
from functools import partial

import pyarrow as pa

from ekiben.contract.feature import Category
from ekiben.load_tests.hostile.attack import REJECTED, Attack, AttackTarget, Run
from ekiben.load_tests.hostile.parquet_files import (
    CODECS,
    attacks,
    bomb,
    constant,
    one_column,
    page,
    to_parquet,
    with_levels,
)  # fmt: skip
from ekiben.load_tests.hostile.rows import MAX_ROWS, good_rows, required_number
from ekiben.load_tests.hostile.wire import flood, post

MEDIA = "application/vnd.apache.parquet"
CONNECTIONS = 8
TIMES = 40
CLAIMED = 2**31 - 1  # bytes that a page says it unpacks to
BOMB = 200_000_000


def send_files(target: AttackTarget, files: list[bytes], times: int = TIMES) -> Run:
    """Send the files in turn."""
    requests = [post("/invocations", files[number % len(files)], MEDIA) for number in range(target.times(times))]
    return flood(target, requests, CONNECTIONS)


def send_dictionary(target: AttackTarget, size: int) -> Run:
    """Send all columns; a string of one of them is in a dictionary once, and in every row."""
    text = next(feature.name for feature in target.source.schema.features if isinstance(feature, Category))
    table = pa.Table.from_pylist(good_rows(target, MAX_ROWS))
    long = pa.DictionaryArray.from_arrays(pa.array([0] * MAX_ROWS, pa.int32()), pa.array(["x" * size]))
    table = table.set_column(table.column_names.index(text), text, long)
    return send_files(target, [to_parquet(table, compression="zstd", store_schema=False)], 8)


def send_rows(target: AttackTarget) -> Run:
    return send_files(target, [constant(10**9, name_number(target))])


def send_pages(target: AttackTarget) -> Run:
    name = name_number(target)
    plain = one_column(page(with_levels(1, bytes(8)), 1, unpacked=CLAIMED), 1, name=name)
    packed = one_column(page(bytes(99), 1, unpacked=CLAIMED), 1, codec=CODECS["zstd"], name=name)
    return send_files(target, [plain, packed])


def send_bombs(target: AttackTarget) -> Run:
    codecs = ("gzip", "zstd", "brotli", "snappy", "lz4_raw")
    return send_files(target, [bomb(codec, BOMB, name_number(target)) for codec in codecs])


def send_damaged(target: AttackTarget, rows: int) -> Run:
    """Send a good file with a few bytes changed, elsewhere each time."""
    good = to_parquet(pa.Table.from_pylist(good_rows(target, rows)))
    chance = random.Random(0)

    def damage() -> bytes:
        changed = bytearray(good)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(4, len(changed) - 8)] = chance.randrange(256)
        return bytes(changed)

    return send_files(target, [damage() for _ in range(target.times(200))], 200)


def send_all(target: AttackTarget) -> Run:
    """Send every file that is known to harm a reader."""
    files = list(attacks().values())
    return send_files(target, files, max(TIMES, len(files)) * 4)


def name_number(target: AttackTarget) -> bytes:
    """Return the name of a number's column."""
    return required_number(target.source.schema).encode()


READ = REJECTED | {"200"}  # a changed byte may be a value's
ATTACKS = (
    *(
        Attack(
            f"parquet-dictionary-{size}",
            f"a string of {size} bytes in a dictionary, in 20,000 rows of all columns",
            partial(send_dictionary, size=size),
            READ,
        )
        for size in (300, 6_000, 100_000)
    ),
    Attack("parquet-rows", "files of 200 bytes that hold a billion rows", send_rows, REJECTED),
    Attack("parquet-page", "pages of 100 bytes that claim 2 GB", send_pages, REJECTED),
    Attack("parquet-bomb", "pages that unpack to 200 MB, in every codec", send_bombs, REJECTED),
    Attack("parquet-damaged", "a file of some KB with bytes changed", partial(send_damaged, rows=10), READ),
    Attack("parquet-damaged-large", "a file of 5,000 rows with bytes changed", partial(send_damaged, rows=5000), READ),
    Attack("parquet-all", "every file that is known to harm a reader", send_all, REJECTED),
)
