"""What an image begins at: the bentofile's base image, by the digest that its name has here."""

import json
import re
import subprocess
from dataclasses import dataclass

from ekiben.deploy.image.bento import BENTOFILE, read_base
from ekiben.deploy.image.builder import ImageFailed, explain

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._/:\[\]-]*")  # of builders' and YAML's plain characters, and no option
LINE = re.compile(r"^(?P<key>\s*base_image: *)\S+$", re.MULTILINE)
PULL_TIMEOUT_S = 900


@dataclass(frozen=True)
class Base:
    """A base image; without a digest it was built here and never came from a registry."""

    name: str  # REGISTRY/NAME:TAG
    digest: str = ""

    @property
    def repository(self) -> str:
        """Its name without a tag."""
        head, slash, last = self.name.rpartition("/")
        return f"{head}{slash}{last.partition(':')[0]}"

    @property
    def reference(self) -> str:
        """What `FROM` names."""
        return f"{self.repository}@{self.digest}" if self.digest else self.name

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else self.name


def parse_base(text: str) -> Base:
    """Read NAME[:TAG][@DIGEST]; raise ImageFailed if it is none."""
    name, at, digest = text.partition("@")
    if not NAME.fullmatch(name) or (at and not DIGEST.fullmatch(digest)):
        raise ImageFailed(
            f"the base image can't be {text!r}: name it as REGISTRY/NAME:TAG@sha256:… with 64 hexadecimal digits"
        )
    return Base(name, digest)


def find_base(builder: str, wanted: str = "") -> Base:
    """Return the base that is wanted, or the bentofile's, with the digest it has here; it is pulled if it is not."""
    base = parse_base(wanted or read_base())
    if base.digest:
        return base
    if _inspect(builder, base.name) is None:
        _pull(builder, base.name)
    return Base(base.name, _find_digest(builder, base))


def move_base(builder: str, wanted: str = "") -> Base:
    """Write into the bentofile which digest the name has in its registry now, or the one that is wanted.

    Raise ImageFailed where there is none.
    """
    base = parse_base(wanted or read_base())
    if not wanted or not base.digest:
        _pull(builder, base.name)
        base = Base(base.name, _find_digest(builder, base))
    if not base.digest:
        raise ImageFailed(f"{base.name} has no digest here: it was built on this machine, not pulled from a registry")
    text, moved = LINE.subn(rf"\g<key>{base}", BENTOFILE.read_text(encoding="utf-8"))
    if moved != 1:
        raise ImageFailed(f"{BENTOFILE} has no line `base_image: …` to write {base} to")
    try:
        BENTOFILE.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ImageFailed(
            f"{BENTOFILE} can't be written ({error.strerror}): name the base with --base {base}"
        ) from None
    return base


def _find_digest(builder: str, base: Base) -> str:
    """Return the digest under which a builder knows a base, "" if it knows none."""
    shown = _inspect(builder, base.name)
    found = (entry.partition("@") for entry in shown or ())
    return next((digest for name, _, digest in found if _is_of(name, base) and DIGEST.fullmatch(digest)), "")


def _is_of(name: str, base: Base) -> bool:
    # docker leaves docker.io/library/ out
    return not name or base.repository == name or base.repository.endswith(f"/{name}")


def _inspect(builder: str, name: str) -> list[str] | None:
    """Return NAME@DIGEST of each digest of an image, or None if it is not here."""
    if builder == "buildah":
        command = [builder, "inspect", "--type", "image", "--format", '["@{{.FromImageDigest}}"]', name]
    else:
        command = [builder, "image", "inspect", "--format", "{{json .RepoDigests}}", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None
    try:
        return list(json.loads(done.stdout) or [])
    except ValueError:
        return []  # a builder that writes it otherwise: then no digest is known


def _pull(builder: str, name: str) -> None:
    """Get what a name means in its registry now."""
    try:
        done = subprocess.run(
            (builder, "pull", name),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PULL_TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ImageFailed(f"{builder} could not get {name} within {PULL_TIMEOUT_S} s: pull it yourself") from None
    if done.returncode:
        raise ImageFailed(explain(builder, name, done.stdout))
