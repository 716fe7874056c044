"""What a look finds: rows of sources, labels and live scores of a log, alarms of services."""

import gzip
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.contract.reference.reference import REFERENCE_FILE
from ekiben.contract.schema import Target
from ekiben.pipeline.triggers.looking import row_log as module
from ekiben.pipeline.triggers.looking.row_log import RowLog, is_time, score_latest
from ekiben.pipeline.triggers.looking.seen import LiveScore
from ekiben.pipeline.triggers.looking.services import find_alarms
from ekiben.pipeline.triggers.looking.source_rows import RowCount
from ekiben.training.retrain_config import ScoreBound
from ekiben.training.source_config import BuiltInSource, FileSource, SqlSource
from ekiben.training.truth.folder import InvalidLog, open_folder
from ekiben.training.truth.labels import read_logged_labels
from ekiben.training.truth.rows import read_rows
from tests.alarm_days import DAYS, FAULTS, count_days, learn, make_days, make_snapshot
from tests.row_log import name_rows, spread, write_labels, write_rows

LATE = Target(name="late", classes=(False, True))
AUC = ScoreBound(metric="auc", below=0.65)


@pytest.fixture(autouse=True)
def draw_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each draw takes 10 ms of scikit-learn's time."""
    monkeypatch.setattr(module, "DRAWS", 40)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_file_of_lines_is_counted_from_where_it_grew(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 5000)
    rows = RowCount(FileSource(path=path))
    assert rows.look() == 5001
    before = path.stat()
    with path.open("r+") as file:  # what was counted is not read again: nobody sees that it has fewer lines
        file.write("x" * 4000)
    append(path, "1,2\n" * 7)
    assert rows.look() == 5008
    path.write_text("a,b\n" + "3,4\n" * 6000)
    assert rows.look() == 6001
    path.write_text("a,b\n1,2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rows.look() == 2


def test_tables_that_know_their_rows_are_asked(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": range(70), "b": 1.5})
    frame.to_parquet(tmp_path / "t.parquet")
    (tmp_path / "parts").mkdir()
    for part in range(3):
        frame.to_parquet(tmp_path / "parts" / f"{part}.parquet")
    with sqlite3.connect(tmp_path / "t.db") as database:
        frame.to_sql("t", database)
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write(frame.to_csv(index=False))
    sql = SqlSource(url=f"sqlite:///{tmp_path}/t.db", query="SELECT * FROM t WHERE a > 9")
    sources = [*(FileSource(path=tmp_path / name) for name in ("t.parquet", "parts", "t.csv.gz")), sql]
    assert [RowCount(source).look() for source in sources] == [70, 210, 71, 60]


def test_a_delta_table_is_asked(tmp_path: Path) -> None:
    delta = pytest.importorskip("deltalake")
    for _ in range(2):
        delta.write_deltalake(str(tmp_path / "t"), pd.DataFrame({"a": range(40)}), mode="append")
    assert RowCount(FileSource(path=tmp_path / "t")).look() == 80


def test_a_source_that_can_not_be_counted_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidTable, match=r"there is no file or folder .*gone.csv"):
        RowCount(FileSource(path=tmp_path / "gone.csv")).look()
    with pytest.raises(InvalidTable, match="only reading flights would count its rows: use `schedule`, not `new_rows`"):
        RowCount(BuiltInSource(loader="flights")).look()
    url = f"postgresql://me:opensesame@127.0.0.1:9/{tmp_path.name}"
    with pytest.raises(InvalidTable) as caught:
        RowCount(SqlSource(url=url, query="SELECT 1")).look()
    assert "opensesame" not in str(caught.value)


def log_answers(
    folder: Path, rows: int, labelled: int, flipped: float = 0.0, version: str = "1", number: int = 0
) -> None:
    """Write answers whose labels follow them, but for a share of labels that are the other way round."""
    random = np.random.default_rng(rows + number)
    answers = random.random(rows).astype(np.float32)
    labels = (random.random(rows) < answers) ^ (random.random(rows) < flipped)
    ids = [f"{number}/{name}" for name in name_rows(rows)]
    times = [time + pd.Timedelta(days=30 * number) for time in spread(rows)]
    write_rows(folder, answers, ids=ids, times=times, version=version, number=number)
    if labelled:
        write_labels(folder, ids[:labelled], labels[:labelled].tolist(), times[:labelled], number=number)


def score(folder: Path, bound: ScoreBound = AUC) -> LiveScore | None:
    opened = open_folder(str(folder))
    return score_latest(LATE, read_rows(LATE, opened, read_logged_labels(LATE, opened), {}), bound)


def test_labels_are_counted_by_footers_and_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_answers(tmp_path, 300, 250)
    log = RowLog(str(tmp_path), "shop")
    assert log.count_labels() == 250
    opened: list[str] = []
    count = module._count_rows
    monkeypatch.setattr(module, "_count_rows", lambda folder, path: opened.append(path) or count(folder, path))
    log_answers(tmp_path, 100, 40, number=1)
    assert (log.count_labels(), log.count_labels(), len(opened)) == (290, 290, 1)
    (tmp_path / "labels-20261104T000000Z-1-9.parquet").write_bytes(b"PAR1 damaged")
    assert log.count_labels() == 290


def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidLog, match="can't be listed"):
        RowLog(str(tmp_path / "gone"), "shop").count_labels()


def test_a_score_far_below_the_bound_is_evidence_and_one_near_it_is_noise(tmp_path: Path) -> None:
    for name, flipped in (("good", 0.0), ("bad", 0.5)):
        (tmp_path / name).mkdir()
        log_answers(tmp_path / name, 3000, 2500, flipped)
    good, bad = score(tmp_path / "good"), score(tmp_path / "bad")
    assert good is not None
    assert bad is not None
    assert good.low < good.value < good.high
    assert (good.labelled, good.version, good.until[:10]) == (2500, "1", "2026-11-25")
    assert bad.is_beyond(AUC)
    assert not good.is_beyond(AUC)
    near = ScoreBound(metric="auc", below=good.value + 0.001)
    assert not good.is_beyond(near)
    assert score(tmp_path / "bad") == bad  # the same evidence has one key


def test_a_few_bad_labels_are_no_evidence(tmp_path: Path) -> None:
    log_answers(tmp_path, 1000, 150, 0.5)
    assert score(tmp_path) is None


def test_only_the_version_that_answers_counts(tmp_path: Path) -> None:
    log_answers(tmp_path, 3000, 3000, 0.5)
    log_answers(tmp_path, 1500, 1500, 0.0, version="2", number=1)
    found = score(tmp_path)
    assert found is not None
    assert (found.version, found.labelled, found.is_beyond(AUC)) == ("2", 1500, False)


def test_a_loss_has_its_bound_above(tmp_path: Path) -> None:
    log_answers(tmp_path, 3000, 3000, 0.5)
    found = score(tmp_path, ScoreBound(metric="log_loss", above=0.6))
    assert found is not None
    assert found.is_beyond(ScoreBound(metric="log_loss", above=0.6))


def test_a_metric_that_is_none_is_said(tmp_path: Path) -> None:
    log_answers(tmp_path, 400, 400)
    with pytest.raises(
        InvalidLog, match=r"`retrain.score.metric`: there is no live `acu` of these rows; there is: auc, "
    ):
        score(tmp_path, ScoreBound(metric="acu", below=0.5))


@pytest.mark.parametrize(
    ("labels", "before", "looks"),
    [
        (200, 0, True),
        (219, 200, False),
        (220, 200, True),
        (199, 200, True),
        (100_999, 100_000, False),
        (101_000, 100_000, True),
    ],
)
def test_the_score_is_looked_at_when_a_tenth_is_new(labels: int, before: int, looks: bool) -> None:
    assert is_time(labels, before) == looks


Pages = dict[str, bytes]


@contextmanager
def serve(pages: Pages) -> Iterator[str]:
    """Serve what a service answers to GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in pages else 404)
            content = pages.get(self.path, b"{}")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def make_pages(folder: Path, fault: str | None, parts: Sequence[int] = (0,), version: str = "3") -> list[Pages]:
    """Return what services say that have seen some days together."""
    schema, reference = learn()
    reference.save(folder / REFERENCE_FILE)
    content = (folder / REFERENCE_FILE).read_bytes()
    frame = make_days(DAYS, 3)
    frame = FAULTS[fault][1](frame) if fault else frame
    made = []
    for part in parts:
        windows = list(count_days(schema, reference, frame.iloc[part :: len(parts)], str(part)))
        snapshot = make_snapshot(windows, hashlib.sha256(content).hexdigest()).model_copy(update={"version": version})
        days = snapshot.model_dump_json().encode()
        made.append({"/monitoring": days, "/monitoring/days": days, "/monitoring/reference": content})
    return made


def test_replicas_are_judged_together(tmp_path: Path) -> None:
    first, second = make_pages(tmp_path, "swapped kinds", (0, 1))
    with serve(first) as one, serve(second) as two:
        (alarm,), troubles = find_alarms([one, two], "shop")
    assert (alarm.version, alarm.day, alarm.features, troubles) == ("3", "2026-05-03", ("kind",), [])
    assert alarm.describe()["sentence"] == "alarms of kind, two days in a row up to 2026-05-03"


def test_honest_days_are_silent(tmp_path: Path) -> None:
    (pages,) = make_pages(tmp_path, None)
    with serve(pages) as service:
        assert find_alarms([service], "shop") == ([], [])


def test_services_that_say_nothing_hide_no_alarm(tmp_path: Path) -> None:
    (pages,) = make_pages(tmp_path, "all missing")
    (other,) = make_pages(tmp_path, None, version="4")
    snapshot = json.loads(pages["/monitoring"])
    bikes = {"/monitoring": json.dumps(snapshot | {"model": "bikes"}).encode()}
    with serve(pages) as sick, serve(other) as newer, serve(bikes) as stranger, serve({}) as silent:
        away = "http://127.0.0.1:9"
        alarms, troubles = find_alarms([away, sick, newer, stranger, silent], "shop")
    assert [(alarm.version, alarm.features) for alarm in alarms] == [("3", ("heat",))]
    assert [one.partition(" ")[0] for one in troubles] == [f"{away}/monitoring", stranger, f"{silent}/monitoring"]
    assert f"{stranger} serves bikes, not shop: name a service of shop" in troubles
