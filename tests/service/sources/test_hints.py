"""Workers hint to each other that there is something new; no hint is lost, and none is one's own."""

import asyncio
from pathlib import Path

from ekiben.service.sources.hints import Hints
from tests.waiting import wait_for


def is_hinted(hints: Hints) -> bool:
    return asyncio.run(hints.wait(0))


def test_a_hint_reaches_the_others_once(tmp_path: Path) -> None:
    here, other = Hints(tmp_path / "new"), Hints(tmp_path / "new")
    assert not is_hinted(other)
    here.give()
    assert (is_hinted(here), is_hinted(other)) == (True, True)
    assert (is_hinted(here), is_hinted(other)) == (False, False)


def test_what_is_passed_on_is_for_the_others_alone(tmp_path: Path) -> None:
    here, other = Hints(tmp_path), Hints(tmp_path)
    here.pass_on()
    assert (is_hinted(here), is_hinted(other)) == (False, True)


def test_passing_on_does_not_swallow_anothers_hint(tmp_path: Path) -> None:
    here, other = Hints(tmp_path), Hints(tmp_path)
    other.give()  # while this one is looking
    here.pass_on()
    assert is_hinted(here)


def test_where_nothing_can_be_written_a_hint_is_known_here(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    here = Hints(file / "folder")
    here.give()
    assert is_hinted(here)
    assert not is_hinted(here)


def test_who_waits_hears_of_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        hints = Hints(tmp_path)
        waiting = asyncio.ensure_future(hints.wait(60))
        await asyncio.sleep(0)
        hints.give()
        await wait_for(waiting.done)
        assert waiting.result()

    asyncio.run(scenario())
