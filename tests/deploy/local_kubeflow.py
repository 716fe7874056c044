"""Runs a compiled pipeline with KFP's local runner: `python -m tests.deploy.local_kubeflow YAML ROOT PARAMETERS`."""

import json
import sys

from kfp import components, local


def main(yaml: str, root: str, parameters: str) -> None:
    """Run it with these parameters; raise RuntimeError if a task fails."""
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root, raise_on_error=True)
    components.load_component_from_file(yaml)(**json.loads(parameters))


if __name__ == "__main__":
    main(*sys.argv[1:])
