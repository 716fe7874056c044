"""Tables dropped on the page: answered, given back, and one sentence for each that can't be."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from tests.browser import drop_table, open_row, see
from tests.conftest import Server
from tests.http_client import HTTP
from tests.page_model import AREA, EVIL, GARDEN, MARKUP, ROCKETS, SOLD, TOKEN, write_table

pytestmark = pytest.mark.slow
BAD = {
    b"a,b\n1,2\n": "The first line names none of the model's features",
    f"{AREA},{ROCKETS}\n1,2\n".encode(): "The table lacks the columns",
    write_table(2).replace(b",yes,", b",perhaps,", 1): f"Line 2: {GARDEN}: ",
    write_table(1) + b"1,2\n": "Line 4 has 2 cells, the first line 6.",
    write_table(1) + b'"open,1': "Line 4: a quote is not closed.",
    write_table(1) + b'"a"b,1': "double the quotes within a cell.",
    write_table(1) + b"\xff\xfe": "is not UTF-8",
    f"{AREA},{AREA},{ROCKETS},{MARKUP},{GARDEN},{SOLD}\n".encode(): "is there twice",
    b"": "bad.csv has no rows.",
}


def test_a_table_comes_back_with_its_answers(page: Page, house: Server, tmp_path: Path) -> None:
    open_row(page, house.url, token=TOKEN)
    drop_table(page, "houses.csv", write_table(150))
    see(page, "#table [role=status]", "150 rows of houses.csv were answered")
    see(page, "#table [role=status]", "not used: note")
    assert page.locator("#table tbody tr").count() == 100
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download with the answers").click()
    saved = tmp_path / "saved.csv"
    downloading.value.save_as(saved)
    assert downloading.value.suggested_filename == "houses-answered.csv"
    rows = list(csv.DictReader(io.StringIO(saved.read_bytes().decode("utf-8-sig"), newline="")))
    asked = HTTP.post(
        f"{house.url}/predict",
        json={"rows": [{AREA: 149, ROCKETS: None, MARKUP: EVIL, GARDEN: True, SOLD: "2013-05-06T07:08:09Z"}]},
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert len(rows) == 150
    assert rows[149]["note"] == '"149",\nline'
    assert float(rows[149]["value"]) == pytest.approx(asked.json()["predictions"][0]["value"])


def test_the_only_cell_of_a_row_may_be_empty(page: Page, house: Server) -> None:
    page.goto(house.url)
    read = page.evaluate(
        """async () => {
        const { readRecords, writeRecord } = await import("./page/csv.js");
        const written = ["x", "", "a", " "].map((cell) => writeRecord([cell])).join("");
        const cells = [], table = new Blob([written, "\\n  \\nb"]);
        for await (const record of readRecords(table.stream(), () => ",")) cells.push(record.cells);
        return [written, cells];
    }"""
    )
    assert read == ['x\n""\na\n" "\n', [["x"], [""], ["a"], [" "], ["b"]]]


def test_a_busy_service_is_asked_again(page: Page, house: Server) -> None:
    open_row(page, house.url, token=TOKEN)
    refused = [(429, {"retry-after": "0.01"}), (504, {"retry-after": "0.01"})]

    def answer(route: Route) -> None:
        if not refused:
            route.continue_()
            return
        status, headers = refused.pop()
        route.fulfill(status=status, headers=headers, json={"error": "busy"})

    page.route("**/playground/*", answer)
    drop_table(page, "houses.csv", write_table(70))
    see(page, "#table [role=status]", "70 rows of houses.csv were answered")
    assert not refused


def test_a_bad_table_gets_one_sentence(page: Page, house: Server) -> None:
    open_row(page, house.url, token=TOKEN)
    for content, sentence in BAD.items():
        drop_table(page, "bad.csv", content)
        see(page, "#table [role=status]", sentence)
        assert page.locator("#table tbody tr").count() == 0


def test_a_huge_table_is_not_read(page: Page, house: Server, tmp_path: Path) -> None:
    open_row(page, house.url, token=TOKEN)
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    page.locator("#file").set_input_files(huge)
    see(page, "#table [role=status]", "huge.csv has 100 MB, and this page takes 10")
