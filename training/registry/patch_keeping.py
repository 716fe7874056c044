"""Keeps how the files differ from their commit: a commit with a + is no provenance without the patch."""

import tempfile
from pathlib import Path

from mlflow.tracking import MlflowClient

from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact
from ekiben.training.registry.git import Patch
from ekiben.training.source_config import SqlSource

PATCH_FILE = "source.patch"  # an artifact of the run, which `git apply` takes


def keep_patch(patch: Patch | None, run_id: str, problem: ProblemConfig) -> bool:
    """Log the patch with its run; return whether there was one that is small enough and has no secret in it."""
    if patch is None:
        return False
    if patch.content is None or _holds_secret(patch.content, problem):
        why = "is large" if patch.content is None else "has a secret in it"
        print(f"note: the patch by which files differ from the commit {why}: it is not kept, so commit the changes")
        return False
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / PATCH_FILE
        path.write_bytes(patch.content)
        MlflowClient().log_artifact(run_id, str(path))
    return True


def copy_patch(from_run: str, to_run: str) -> None:
    """Log the patch of a run, if it has one, with another that was made of the same files."""
    client = MlflowClient()
    if any(one.path == PATCH_FILE for one in client.list_artifacts(from_run)):
        with tempfile.TemporaryDirectory() as scratch:
            client.log_artifact(to_run, client.download_artifacts(from_run, PATCH_FILE, scratch))


def _holds_secret(content: bytes, problem: ProblemConfig) -> bool:
    text = content.decode("utf-8", "surrogateescape")
    url = [problem.source.url] if isinstance(problem.source, SqlSource) else []
    return redact(text, *url) != text
