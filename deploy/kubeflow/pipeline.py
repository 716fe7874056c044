"""Ekiben's steps as a Kubeflow pipeline: `python -m ekiben.deploy.kubeflow.pipeline` writes pipeline.yaml beside it.

A component calls `ekiben step NAME` in the training image and hands on the key of its record. The records decide
whether a step need not run, so Kubeflow's own cache is off.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from kfp import compiler, dsl, kubernetes

from ekiben.pipeline.steps import STEPS

IMAGE = "registry.example.com/ekiben-training:1"  # TO BE REPLACED by yours
VOLUME = "ekiben-home"  # volume.yaml
MOUNT = "/ekiben"  # the training image's EKIBEN_HOME
COMPILED = Path(__file__).with_name("pipeline.yaml")


# Kubeflow copies a component's source into the YAML: what it imports and knows stands inside it. The verdict is the
# unnamed output because conditions on a named one are always false to kfp 2.17.3's local runner.
@dsl.component(base_image=IMAGE, install_kfp_package=False)
def step(
    name: str, problem: str, after: str, event: str, rows: int, epochs: int, home: str, run: str,
    key: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> str:  # fmt: skip
    """Run one step and return its verdict."""
    import json
    import os
    import subprocess
    import sys
    from pathlib import Path

    options = {"--problem": problem, "--after": after, "--event": event, "--rows": rows, "--epochs": epochs}
    given = [part for option, value in options.items() if value for part in (option, str(value))]
    if home:
        os.environ.update(EKIBEN_HOME=home, BENTOML_HOME=f"{home}/bentoml")
    done = subprocess.run(["ekiben", "step", name, *given], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 3):  # neither go nor stop; the log has the sentence
        sys.exit(done.returncode)
    outcome = json.loads(done.stdout)
    print(outcome["sentence"])
    last = Path(os.environ.get("EKIBEN_HOME", "."), "data/pipeline/kubeflow", run)
    last.parent.mkdir(parents=True, exist_ok=True)
    last.write_text(f"{name}: {outcome['sentence']}", encoding="utf-8")
    Path(key).write_text(outcome["key"])
    return str(outcome["verdict"])


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def conclude(home: str, run: str, status: dsl.PipelineTaskFinalStatus) -> str:
    """Return the last sentence of a run, however it ended."""
    import os
    from pathlib import Path

    last = Path(home or os.environ.get("EKIBEN_HOME", "."), "data/pipeline/kubeflow", run)
    sentence = last.read_text(encoding="utf-8") if last.exists() else "no step came to its end"
    if status.state != "SUCCEEDED":
        sentence += "; the next step failed: its log says why"
    print(sentence)
    return sentence


def name_component(name: str) -> Any:
    """Return the component of one step, which stands under its name in the YAML and on Kubeflow's page."""
    component = deepcopy(step)
    component.component_spec.name = name
    return component


def mount(task: Any) -> Any:
    """Let a task see the shared folder, and run it whatever Kubeflow remembers of the same inputs."""
    task.set_caching_options(False)
    return kubernetes.mount_pvc(task, pvc_name=VOLUME, mount_path=MOUNT)


def run_from(steps: Sequence[str], after: Any, event: Any, common: dict[str, Any]) -> None:
    """Add the first step, and the others where it said go."""
    name, *later = steps
    task = mount(name_component(name)(name=name, after=after, event=event, **common))
    if later:
        with dsl.If(task.outputs["Output"] == "go", name=f"{name} said go"):
            run_from(later, task.outputs["key"], "", common)


@dsl.pipeline(name="ekiben", description="A table becomes a promoted model, or a sentence that says why not.")
def retrain(problem: str = "", event: str = "", rows: int = 0, epochs: int = 0, home: str = "") -> None:
    """Run the steps in turn for as long as each says go; what is left empty is as on the command line."""
    run = dsl.PIPELINE_JOB_ID_PLACEHOLDER
    common = {"problem": problem, "rows": rows, "epochs": epochs, "home": home, "run": run}
    with dsl.ExitHandler(mount(conclude(home=home, run=run)), name="steps"):
        run_from(STEPS, "", event, common)


def main() -> None:
    """Write the YAML."""
    compiler.Compiler().compile(retrain, str(COMPILED))


if __name__ == "__main__":
    main()
