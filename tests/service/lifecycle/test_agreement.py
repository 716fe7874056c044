"""What workers agree on: the first proposal counts, all hear of it, and a folder that can't be written is said."""

import asyncio
import logging
from pathlib import Path

import pytest

from ekiben.service.lifecycle import agreement as module
from ekiben.service.lifecycle.agreement import Agreement, CanNotAgree
from tests.waiting import wait_for


def test_the_first_proposal_counts_and_the_others_hear_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.005)

    async def scenario() -> None:
        first, second = Agreement("share", tmp_path), Agreement("share", tmp_path)
        heard: list[object] = []
        second.watch(heard.append)
        assert first.propose({"share": 0.1}, 0)
        assert not second.propose({"share": 0.5}, 0)
        assert second.value == {"share": 0.1}
        await wait_for(lambda: heard == [{"share": 0.1}])
        assert second.propose({"share": 0.5}, second.number)
        assert not first.propose({"share": 1.0}, 1)
        assert first.value == {"share": 0.5}

    asyncio.run(scenario())


def test_who_comes_later_reads_it(tmp_path: Path) -> None:
    Agreement("share", tmp_path).propose(1, 0)
    Agreement("other", tmp_path).propose(2, 0)
    late = Agreement("share", tmp_path)
    assert (late.number, late.value) == (1, 1)


def test_a_name_that_begins_alike_is_another(tmp_path: Path) -> None:
    share = Agreement("share_de", tmp_path)
    share.propose(1, 0)
    for name in ("share_de_2", "share_de_north", "share_de_000000001"):
        other = Agreement(name, tmp_path)
        assert all(other.propose(name, number) for number in range(module.KEPT + 1))
    share.read()
    late = Agreement("share_de", tmp_path)
    assert (share.number, share.value) == (late.number, late.value) == (1, 1)


def test_few_files_are_kept(tmp_path: Path) -> None:
    agreement = Agreement("share", tmp_path)
    assert all(agreement.propose(number, number) for number in range(100))
    assert len(list(tmp_path.iterdir())) == module.KEPT
    assert Agreement("share", tmp_path).value == 99


def test_one_worker_needs_no_folder() -> None:
    agreement = Agreement("share", None)
    heard: list[object] = []

    async def scenario() -> None:
        agreement.watch(heard.append)
        assert agreement.propose("a", 0)
        assert not agreement.propose("b", 0)

    asyncio.run(scenario())
    assert heard == ["a"]


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    agreement = Agreement("share", tmp_path / "gone")
    with pytest.raises(CanNotAgree, match=r"gone can't be written to \(No such file or directory\)"):
        agreement.propose(1, 0)
    assert agreement.value is None


def test_a_damaged_file_is_said_and_the_value_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    agreement = Agreement("share", tmp_path)
    agreement.propose(1, 0)
    (tmp_path / "agreed_share_000000002.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert not agreement.propose(2, 1)
    assert agreement.value == 1
    assert "agreed_share_000000002.json can't be read" in caplog.text
