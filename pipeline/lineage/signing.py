"""Signatures of packages by a key of the user's, as OpenSSF's model signing has them.

A signature stands beside the package, not in it: it is an artifact of the version's run, and its digest is a tag of the
version. `model_signing verify key` verifies the same file without Ekiben.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.model.integrity import STORE_FILE, digest_file, find_change
from ekiben.model.package import MANIFEST_FILE
from ekiben.model.steps import finish
from ekiben.model.store import DIGEST_LABEL
from ekiben.pipeline.lineage.artifact import read_artifact
from ekiben.pipeline.lineage.link import Findings, Link, shorten_digest
from ekiben.pipeline.lineage.manifest import read_manifest
from ekiben.training.registry.version_packages import open_package

SIGNATURE_FILE, SIGNATURES = "package.sig", "signatures"  # the folder among the artifacts of the run
SIGNATURE_TAG = "signature_digest"  # of the version


class CannotSign(UserError):
    """The version or the key is none that can be signed with."""


def sign_version(registered: ModelVersion, key: Path) -> str:
    """Sign the package of a version, if it is as it was registered; return the signature's digest.

    Raise CannotSign if the package was altered, or if the file is no private key of an elliptic curve.
    """
    if not os.access(key, os.R_OK):
        raise CannotSign(f"{key} can't be read: name the PEM file of a private key")
    with open_package(registered) as package, tempfile.TemporaryDirectory() as scratch:
        manifest, digest = read_manifest(package), registered.tags.get(DIGEST_LABEL)
        if manifest is None or digest is None:
            raise CannotSign(f"version {registered.version} has no manifest that was registered: train it again")
        if change := finish(find_change(package, {**manifest.files, MANIFEST_FILE: digest})):
            raise CannotSign(f"{change.replace(f'{package}/', '')}: nothing is signed")
        path = Path(scratch) / SIGNATURE_FILE
        _sign(package, key, path)
        signed = digest_file(path)
        client = MlflowClient()
        client.log_artifact(str(registered.run_id), str(path), SIGNATURES)
        client.set_model_version_tag(registered.name, registered.version, SIGNATURE_TAG, signed)
    return signed


def verify_signature(package: Path, registered: ModelVersion, key: Path) -> Link:
    """Verify a version's signature of its package with a public key."""
    digest = registered.tags.get(SIGNATURE_TAG)
    found = Findings.begin()
    if digest is None:
        found.faults.append(f"version {registered.version} is not signed: `ekiben sign {registered.version}` does that")
        return found.close("signature", "none")
    content = read_artifact(str(registered.run_id), f"{SIGNATURES}/{SIGNATURE_FILE}")
    if content is None:
        found.faults.append(f"{SIGNATURE_FILE} is gone from the run")
        return found.close("signature", shorten_digest(digest))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / SIGNATURE_FILE
        path.write_bytes(content)
        found.check(digest_file(path) == digest, "", f"{SIGNATURE_FILE} is not the file that was registered")
        reason = _verify(package, key, path)
        found.check(not reason, f"by the key in {key}", f"{SIGNATURE_FILE} does not hold by {key}: {reason}")
    return found.close("signature", shorten_digest(digest))


def _sign(package: Path, key: Path, path: Path) -> None:
    from model_signing import signing

    try:
        signer = signing.Config().use_elliptic_key_signer(private_key=key)
        signer.set_hashing_config(_choose_files()).sign(package, path)
    except (ValueError, TypeError, AttributeError) as error:  # no PEM, another kind of key, or an encrypted one
        raise CannotSign(
            f"{key} is no private key that signs ({_say(error)}): make one of the curve P-256, without a password, "
            "with `openssl ecparam -name prime256v1 -genkey -noout`"
        ) from None


def _verify(package: Path, key: Path, path: Path) -> str:
    """Return why a signature does not hold, or ""."""
    from model_signing import verifying

    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=key)
        verifier.set_hashing_config(_choose_files()).verify(package, path)
    except Exception as error:  # cryptography's, protobuf's and its own: whatever it is, it does not hold
        return _say(error)
    return ""


def _choose_files() -> Any:
    """Return that all files of a package are hashed; what BentoML writes beside them in its store is none of them."""
    from model_signing import hashing

    return hashing.Config().set_ignored_paths(paths=[STORE_FILE], ignore_git_paths=False)


def _say(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
