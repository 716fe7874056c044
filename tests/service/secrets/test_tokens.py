"""The file of tokens: what is taken, and what is rejected with which words."""

from pathlib import Path

import pytest

from ekiben.service.environment import read_settings
from ekiben.service.secrets.tokens import read_tokens
from ekiben.service.settings import InvalidSettings

UNSENDABLE = "holds a space, a line break or what is not ASCII: no header can carry that"


@pytest.mark.parametrize(
    ("content", "tokens"),
    [
        (b"one", (b"one",)),
        (b"one\ntwo\n", (b"one", b"two")),
        (b"# of the shop\n\none\r\n\t two  \n", (b"one", b"two")),
        (b"\xef\xbb\xbfone\none\n", (b"one",)),
    ],
)
def test_tokens_stand_one_a_line(tmp_path: Path, content: bytes, tokens: tuple[bytes, ...]) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    assert read_tokens(path) == tokens


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "AUTH_TOKEN_FILE='{path}' can't be read: name a file of tokens that this user may read"),
        (b"", "AUTH_TOKEN_FILE='{path}' holds no token: write one a line"),
        (b"# none\n\n", "AUTH_TOKEN_FILE='{path}' holds no token: write one a line"),
        (b"good\n\nhunter 2\n", f"line 3 of AUTH_TOKEN_FILE='{{path}}' {UNSENDABLE}"),
        ("hunter\xe9".encode(), f"line 1 of AUTH_TOKEN_FILE='{{path}}' {UNSENDABLE}"),
        (b"hunter\x00", f"line 1 of AUTH_TOKEN_FILE='{{path}}' {UNSENDABLE}"),
        (
            b"".join(b"hunter%d\n" % index for index in range(101)),
            "AUTH_TOKEN_FILE='{path}' holds 101 tokens: keep at most 100",
        ),
        (b"hunter" * 11_000, "AUTH_TOKEN_FILE='{path}' is larger than 64 KiB: it is no file of tokens"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("AUTH_TOKEN_FILE", str(path))
    with pytest.raises(InvalidSettings) as rejected:
        read_settings()
    assert str(rejected.value) == said.format(path=path)
    assert "hunter" not in str(rejected.value)
    assert read_settings(unread=True).guarded  # the health check of a service that keeps what it has read


def test_a_name_that_no_file_can_have_stops_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_TOKEN_FILE", f"/{'x' * 300}")
    with pytest.raises(InvalidSettings, match=r"can't be read: name a file of tokens that this user may read$"):
        read_settings()


def test_two_sources_of_tokens_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    monkeypatch.setenv("AUTH_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AUTH_TOKEN", "two")
    with pytest.raises(InvalidSettings, match=r"^AUTH_TOKEN and AUTH_TOKEN_FILE are both set: write that token into"):
        read_settings()
