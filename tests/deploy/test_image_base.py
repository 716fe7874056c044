"""What an image begins at, and what it says of itself: by digest where there is one, and never a made-up one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ekiben.deploy.image import base as bases
from ekiben.deploy.image.base import Base, find_base, move_base, parse_base
from ekiben.deploy.image.bento import read_base
from ekiben.deploy.image.builder import ImageFailed
from ekiben.deploy.image.statements.labels import InvalidTime, describe_base, find_time
from ekiben.training.registry.git import to_web_address

NAME = "docker.io/library/python:3.11-slim"
DIGEST = f"sha256:{'ab' * 32}"
Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what puts a podman on the path that knows these digests, at once or once it has pulled, or can't pull."""

    def put(digests: list[str], *, here: bool = True, pulls: bool = True) -> Path:
        program, pulled = tmp_path / "podman", tmp_path / "pulled"
        pull = f"touch {pulled}" if pulls else "echo pinging container registry; exit 125"
        known = "true" if here else f"[ -e {pulled} ]"
        program.write_text(
            "#!/bin/sh\n"
            f'if [ "$1" = pull ]; then {pull}; exit; fi\n'
            f"{known} || exit 125\necho '{json.dumps(digests)}'\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return pulled

    return put


@pytest.fixture
def bentofile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bentofile of this test's own."""
    path = tmp_path / "bentofile.yaml"
    path.write_text(bases.BENTOFILE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(bases, "BENTOFILE", path)
    return path


def test_the_bentofile_names_a_base_that_can_be_read() -> None:
    assert parse_base(read_base()).repository == "docker.io/library/python"


@pytest.mark.parametrize(
    ("text", "repository", "reference"),
    [
        (NAME, "docker.io/library/python", NAME),
        (f"{NAME}@{DIGEST}", "docker.io/library/python", f"docker.io/library/python@{DIGEST}"),
        ("localhost:5000/python", "localhost:5000/python", "localhost:5000/python"),
    ],
)
def test_a_base_is_named_with_and_without_a_digest(text: str, repository: str, reference: str) -> None:
    base = parse_base(text)
    assert (str(base), base.repository, base.reference) == (text, repository, reference)


@pytest.mark.parametrize(
    "text",
    [
        *("", "@sha256:00", f"{NAME}@", f"{NAME}@sha256:12", f"{NAME}@md5:{'a' * 64}", "a b"),
        *(rf"a\1@{DIGEST}", f"--all@{DIGEST}", f"a:\t#b@{DIGEST}", f'"a@{DIGEST}'),
    ],
)
def test_what_is_no_base_is_one_sentence(text: str) -> None:
    with pytest.raises(ImageFailed, match=r"^the base image can't be .*: name it as REGISTRY/NAME:TAG@sha256:"):
        parse_base(text)


def test_a_base_is_taken_by_the_digest_it_has_here(install: Install) -> None:
    install([f"docker.io/library/other@sha256:{'0' * 64}", f"docker.io/library/python@{DIGEST}"])
    assert find_base("podman", NAME) == Base(NAME, DIGEST)
    assert describe_base(find_base("podman", NAME)) == {
        "org.opencontainers.image.base.name": NAME,
        "org.opencontainers.image.base.digest": DIGEST,
    }


def test_another_image_whose_name_ends_alike_is_none_of_it(install: Install) -> None:
    install([f"python@sha256:{'0' * 64}", f"docker.io/library/my-python@{DIGEST}"])
    assert find_base("podman", "docker.io/library/my-python:3.11") == Base("docker.io/library/my-python:3.11", DIGEST)


def test_a_base_that_is_not_here_is_pulled(install: Install) -> None:
    pulled = install([f"python@{DIGEST}"], here=False)  # as docker shortens it
    assert find_base("podman", NAME).digest == DIGEST
    assert pulled.exists()


def test_a_base_that_was_built_here_has_no_digest_and_gets_none(install: Install) -> None:
    install([])
    assert find_base("podman", NAME) == Base(NAME)
    assert "org.opencontainers.image.base.digest" not in describe_base(Base(NAME))


def test_a_base_that_can_not_be_had_is_one_sentence(install: Install) -> None:
    install([], here=False, pulls=False)
    with pytest.raises(ImageFailed, match="podman can't get the image's base: pull or import it"):
        find_base("podman", NAME)


def test_the_bentofile_is_moved_to_the_digest_of_today(install: Install, bentofile: Path) -> None:
    pulled = install([f"docker.io/library/python@{DIGEST}"])
    before = bentofile.read_text().splitlines()
    assert str(move_base("podman")) == f"{read_base().partition('@')[0]}@{DIGEST}"
    assert pulled.exists()
    after = bentofile.read_text().splitlines()
    assert [line for line in after if line not in before] == [f"  base_image: {NAME}@{DIGEST}"]
    assert len(after) == len(before)
    assert move_base("podman", f"{NAME}@sha256:{'cd' * 32}").digest == f"sha256:{'cd' * 32}"
    assert f"  base_image: {NAME}@sha256:{'cd' * 32}" in bentofile.read_text().splitlines()


def test_a_base_without_a_digest_moves_nothing(install: Install, bentofile: Path) -> None:
    install([])
    before = bentofile.read_text()
    with pytest.raises(ImageFailed, match="has no digest here: it was built on this machine, not pulled"):
        move_base("podman")
    assert bentofile.read_text() == before


def test_the_time_is_that_of_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    assert find_time() == "2026-09-21T14:13:20Z"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert find_time() == find_time()  # of the commit


@pytest.mark.parametrize("given", ["yesterday", "1e9", "9" * 30])
def test_what_is_no_time_is_one_sentence(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
    with pytest.raises(InvalidTime, match=f"^SOURCE_DATE_EPOCH='{given}': expected seconds since 1970"):
        find_time()


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://git.example.com/team/flights.git", "https://git.example.com/team/flights"),
        ("https://user:secret@git.example.com/flights", "https://git.example.com/flights"),
        ("git@git.example.com:team/flights.git", "https://git.example.com/team/flights"),
        ("ssh://git@git.example.com:2222/flights.git", "https://git.example.com:2222/flights"),
        ("/home/me/flights", ""),
        ("file:///home/me/flights.git", ""),
        ("../flights", ""),
        ("", ""),
    ],
)
def test_a_repository_is_named_without_a_login_and_a_folder_not_at_all(remote: str, address: str) -> None:
    assert to_web_address(remote) == address
