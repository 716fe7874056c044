"""Runs the shell of a platform's page against programs that only note what they are asked."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PATIENCE_S, ROOT

DEPLOY = ROOT / "deploy"
# What has a page that leads to version 2 and back (tests/deploy/test_platforms.py).
PLATFORMS = ("azure-ml", "cloud-run", "ecs", "knative", "kserve", "sagemaker", "vertex-ai")
PROGRAMS = ("aws", "az", "curl", "ekiben", "gcloud", "grpcurl", "kubectl", "podman")
DIGEST = "sha256:" + "0123456789abcdef" * 4
TARGETS = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/flight-delay/0123456789abcdef"
# Notes its name and arguments, answers what a page goes on with, and lets the real kubectl render what is applied.
NOTING = f"""#!/bin/sh
[ -p /dev/stdin ] && cat >/dev/null
for one in "${{0##*/}}" "$@"; do printf '%s\\0' "$one"; done >>"$NOTES"
printf '\\1' >>"$NOTES"
case "${{0##*/}} $*" in
  "podman push "*) printf {DIGEST} >"$3" ;;
  "kubectl apply -k "*) [ -z "$KUBECTL" ] || {{ echo ---; "$KUBECTL" kustomize "$3"; }} >>"$RENDERED" ;;
  *TargetGroupArn*) echo {TARGETS} ;;
  *) echo answer ;;
esac
"""
BLOCK = re.compile(r"^```sh\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Walk:
    """What a page's commands were, in their order, and what kubectl made of the folders it was given."""

    commands: list[list[str]]
    rendered: str
    folder: Path


def walk(page: Path, folder: Path) -> Walk:
    """Run every block of a page from its top to its end, in a folder that has a copy of deploy/."""
    shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("bin", "dist"):
        (folder / name).mkdir()
    for program in PROGRAMS:
        (folder / "bin" / program).write_text(NOTING)
        (folder / "bin" / program).chmod(0o755)
    for name in ("request.json", "token.txt"):
        (folder / name).write_text("{}")
    notes, rendered = folder / "notes", folder / "rendered"
    rendered.touch()
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(BLOCK.findall(page.read_text(encoding="utf-8")))],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S,
        env=os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "NOTES": str(notes), "RENDERED": str(rendered),
            "KUBECTL": shutil.which("kubectl") or "",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = notes.read_text().split("\1")[:-1]
    return Walk([record.split("\0")[:-1] for record in records], rendered.read_text(), folder)
