"""`ekiben sign` signs a package as it was registered, and `ekiben lineage --key` says whether that still holds."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from mlflow.tracking import MlflowClient

from ekiben.commands.__main__ import main
from ekiben.model.package import GOLDEN_FILE
from ekiben.pipeline.lineage.signing import SIGNATURE_FILE, SIGNATURE_TAG, SIGNATURES
from ekiben.training.registry.publishing import publish_package
from tests.pipeline.lineage.conftest import NAME, Project

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]
BROKEN = 3


def write_keys(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a new pair of keys; return the private and the public one."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture(scope="session")
def public(trained: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public key of the one that the trained version is signed with."""
    private, public = write_keys(tmp_path_factory.mktemp("keys"), "mine")
    assert f"signed version 1: {SIGNATURES}/{SIGNATURE_FILE}" in trained.run("sign", "1", "--key", str(private))
    return public


@pytest.fixture
def signature(public: Path, project: Project) -> Path:
    """The signature's file of a copy that may be altered."""
    return project.artifacts / SIGNATURES / SIGNATURE_FILE


def verify(capsys: Capture, public: Path, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["lineage", "1", "--key", str(public)]) == code
    return capsys.readouterr().out


def test_a_signed_package_is_verified_with_the_public_key(
    public: Path, signature: Path, project: Project, capsys: Capture
) -> None:
    digest = MlflowClient().get_model_version(NAME, "1").tags[SIGNATURE_TAG]
    assert f"✓ signature {digest[:12]} · by the key in {public}" in verify(capsys, public)
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(project.package)]
    given = ["--signature", str(signature), "--public_key", str(public)]
    done = subprocess.run([*command, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_key_does_not_verify_it(signature: Path, tmp_path: Path, capsys: Capture) -> None:
    _, other = write_keys(tmp_path, "other")
    assert f"✗ {SIGNATURE_FILE} does not hold by {other}: Key mismatch" in verify(capsys, other, BROKEN)


def test_what_was_altered_and_registered_again_is_not_what_was_signed(
    public: Path, signature: Path, project: Project, capsys: Capture
) -> None:
    (project.package / GOLDEN_FILE).write_text("{}")
    publish_package(project.package, "1", project.run_id)
    assert f"✗ {SIGNATURE_FILE} does not hold by {public}: Signature mismatch" in verify(capsys, public, BROKEN)


def test_a_signature_that_was_altered_or_is_gone_is_said(public: Path, signature: Path, capsys: Capture) -> None:
    signature.write_text("{}")
    assert f"✗ {SIGNATURE_FILE} is not the file that was registered" in verify(capsys, public, BROKEN)
    signature.unlink()
    assert f"✗ {SIGNATURE_FILE} is gone from the run" in verify(capsys, public, BROKEN)
    MlflowClient().delete_model_version_tag(NAME, "1", SIGNATURE_TAG)
    assert "✗ version 1 is not signed: `ekiben sign 1` does that" in verify(capsys, public, BROKEN)


def test_an_altered_package_is_not_signed(project: Project, tmp_path: Path, capsys: Capture) -> None:
    (project.package / GOLDEN_FILE).write_text("{}")
    assert main(["sign", "1", "--key", str(write_keys(tmp_path, "mine")[0])]) == 2
    assert f"{GOLDEN_FILE} is not the file that was packed: nothing is signed" in capsys.readouterr().err


def test_what_cannot_sign_is_said(project: Project, tmp_path: Path, capsys: Capture) -> None:
    _, public = write_keys(tmp_path, "mine")
    other, locked = tmp_path / "other.pem", tmp_path / "locked.pem"
    for path, key, encryption in (
        (other, ed25519.Ed25519PrivateKey.generate(), serialization.NoEncryption()),
        (locked, ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"word")),
    ):
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    for path in (public, other, locked):
        assert main(["sign", "1", "--key", str(path)]) == 2
        assert "is no private key that signs (" in capsys.readouterr().err
    assert main(["sign", "1", "--key", "nothing.pem"]) == 2
    assert "nothing.pem can't be read: name the PEM file of a private key" in capsys.readouterr().err
    assert main(["sign", "9", "--key", str(public)]) == 2
    assert "the registry has no version 9 of goods; it has: 1" in capsys.readouterr().err
