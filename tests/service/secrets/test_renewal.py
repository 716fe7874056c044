"""What is read again: what is new is used, and whatever is wrong with it, what was good stays and is said once."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ekiben.service.auth import Authenticator
from ekiben.service.errors import BadRequest
from ekiben.service.grpc.grpcio.credentials import Credentials
from ekiben.service.secrets.certificates import TlsPaths
from ekiben.service.secrets.renewal import Renewal
from ekiben.service.secrets.tls import Tls
from ekiben.service.secrets.tokens import read_tokens
from tests.certificates import Pair, write_pair


def look(renewal: Renewal[Any, Any], times: int = 3) -> None:
    async def look_again() -> None:
        for _ in range(times):
            await renewal.look()

    asyncio.run(look_again())


def lets_in(authenticator: Authenticator, token: str) -> bool:
    try:
        authenticator.check([f"Bearer {token}".encode()])
    except BadRequest:
        return False
    return True


def write_link(folder: Path, number: int, content: str) -> Path:
    """Replace the folder's link, as Kubernetes does with a Secret; return the file as a mount shows it."""
    (folder / f"..{number}").mkdir()
    (folder / f"..{number}" / "token").write_text(content)
    (folder / "..new").symlink_to(f"..{number}")
    (folder / "..new").rename(folder / "..data")
    if not (folder / "token").is_symlink():
        (folder / "token").symlink_to("..data/token")
    return folder / "token"


def test_tokens_are_those_of_the_file_now(tmp_path: Path) -> None:
    path = write_link(tmp_path, 1, "old\n")
    authenticator = Authenticator(read_tokens(path))
    renewal = Renewal("kept", read_tokens(path), lambda: read_tokens(path), tuple, authenticator.replace)
    for number, content, valid in [(2, "old\nnew", ["old", "new"]), (3, "new", ["new"])]:
        write_link(tmp_path, number, content)
        look(renewal)
        assert [token for token in ("old", "new", "") if lets_in(authenticator, token)] == valid


@pytest.mark.parametrize("wrong", ["", "two words", None])
def test_the_door_stays_as_it_was_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: str | None
) -> None:
    path = tmp_path / "token"
    path.write_text("good")
    authenticator = Authenticator(read_tokens(path))
    renewal = Renewal("the old stays", read_tokens(path), lambda: read_tokens(path), tuple, authenticator.replace)
    path.unlink() if wrong is None else path.write_text(wrong)
    with caplog.at_level(logging.INFO, "bentoml.service"):
        look(renewal, 1)
        assert not caplog.messages  # it may just be being written
        look(renewal, 5)
    (said,) = caplog.messages
    assert f"AUTH_TOKEN_FILE='{path}'" in said
    assert said.endswith("; the old stays")
    assert caplog.records[0].levelno == logging.ERROR
    assert "words" not in said
    assert authenticator.required
    assert [lets_in(authenticator, token) for token in ("good", "", "two words")] == [True, False, False]
    path.write_text("better")
    look(renewal, 1)
    assert lets_in(authenticator, "better")
    assert not lets_in(authenticator, "good")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return write_pair(tmp_path / "served")


def test_a_replaced_certificate_is_used(pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tls = Tls(TlsPaths(pair.certificate, pair.key))
    credentials = Credentials(tls)
    with caplog.at_level(logging.INFO, "bentoml.service"):
        renewal = tls.watch()
        before = tls.make_context()
        write_pair(pair.certificate.parent)
        look(renewal)
    assert [message.partition(", expires ")[0] for message in caplog.messages] == [
        "TLS: certificate of commonName=localhost"
    ] * 2
    assert credentials.fetch() is not None
    assert credentials.fetch() is None  # the same one is not given twice
    assert tls.make_context() is not before


def spoil(pair: Pair, kind: str, folder: Path) -> None:
    """Replace a good pair by one that no server should use."""
    if kind == "mismatch":
        pair.key.write_bytes(write_pair(folder / "other").key.read_bytes())
    elif kind == "half":
        pair.certificate.write_bytes(pair.certificate.read_bytes()[:100])
    elif kind == "encrypted":
        write_pair(pair.key.parent, "pass")
    elif kind == "expired":
        write_pair(pair.key.parent, hours=-1)
    elif kind == "gone":
        pair.key.unlink()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("mismatch", "is not the key of the certificate"),
        ("half", "holds no PEM certificate"),
        ("encrypted", "is encrypted with a passphrase"),
        ("expired", " expired at "),
        ("gone", "can't be read"),
    ],
)
def test_a_pair_that_cannot_be_used_is_not(
    pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, said: str
) -> None:
    tls = Tls(TlsPaths(pair.certificate, pair.key))
    credentials = Credentials(tls)
    renewal, before = tls.watch(), tls.make_context()
    spoil(pair, kind, tmp_path)
    look(renewal, 5)
    (sentence,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert said in sentence
    assert sentence.endswith("; the certificate that was read before stays in use")
    assert tls.make_context() is before
    assert credentials.fetch() is None
