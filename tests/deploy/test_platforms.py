"""Each platform's page leads from nothing to version 2 and back: its shell is run, its commands are looked at."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ekiben.commands.parser import build_parser
from tests.deploy.aws_commands import find_fault
from tests.deploy.page_script import DEPLOY, DIGEST, PLATFORMS, Walk, walk

SECTIONS = ["Build and push", "Version 1", "Call it", "Watch it", "Version 2", "Back", "Delete", "Why these settings"]
NAMED = re.compile(r"(?:file://|fileb://|@|=)?((?:deploy|dist)/[\w./-]+)")
NEEDS = {"ecs": "jq", "knative": "kubectl", "kserve": "kubectl"}


@pytest.fixture(scope="module", params=PLATFORMS)
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """The commands of one page."""
    platform = request.param
    if platform in NEEDS and not shutil.which(NEEDS[platform]):
        pytest.skip(f"{NEEDS[platform]} is not installed")
    return walk(DEPLOY / platform / "README.md", tmp_path_factory.mktemp(platform))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_page_goes_from_nothing_to_version_2_and_back(platform: str) -> None:
    text = (DEPLOY / platform / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert [section for section in found if section in SECTIONS] == SECTIONS
    assert "docs/schema_changes.md" in text


def test_the_commands_of_a_page_name_what_is_there(walked: Walk) -> None:
    named = [file for command in walked.commands for word in command for file in NAMED.findall(word)]
    assert [file for file in named if not (walked.folder / file).exists()] == []


def test_each_version_is_built_pushed_and_rolled_out_by_its_digest(walked: Walk) -> None:
    lines = [" ".join(command) for command in walked.commands]
    first, second = (index for index, line in enumerate(lines) if line.startswith("ekiben "))
    for built, version in ((first, 1), (second, 2)):
        assert f"--model models:/flight_delay/{version} -t " in lines[built]
        assert lines[built + 1].startswith("podman push --digestfile dist/digest ")
        build_parser().parse_args(walked.commands[built][1:])
    assert DIGEST in "".join(lines[second:]) + walked.rendered + read_written(walked)


def read_written(walked: Walk) -> str:
    """Return the files that the page's commands wrote."""
    return "".join(path.read_text() for path in (walked.folder / "dist").iterdir() if path.name != "digest")


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["ecs", "sagemaker"])
def test_aws_takes_every_command(platform: str, tmp_path: Path) -> None:
    if platform == "ecs" and not shutil.which("jq"):
        pytest.skip("jq is not installed")
    walked = walk(DEPLOY / platform / "README.md", tmp_path)
    commands = [command for command in walked.commands if command[0] == "aws"]
    assert len(commands) > 15
    faults = {" ".join(command): fault for command in commands if (fault := find_fault(command, walked.folder))}
    assert faults == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("sagemaker make-model", "sagemaker has no make-model"),
        ("ecs wait services-happy", "ecs can't wait for services-happy"),
        ("ecs update-service --service a --colour blue", "ecs update-service has no --colour"),
        ("sagemaker create-endpoint --endpoint-name a", 'Missing required parameter in input: "EndpointConfigName"'),
        (
            "sagemaker create-endpoint-config --endpoint-config-name a --production-variants Name=a",
            'Unknown parameter in ProductionVariants[0]: "Name"',
        ),
        (
            "sagemaker create-endpoint-config --endpoint-config-name a "
            "--production-variants VariantName=a,InstanceType=ml.none",
            "ml.none is none of ProductionVariantInstanceType",
        ),
    ],
)
def test_a_command_that_aws_would_not_take_is_found(line: str, fault: str, tmp_path: Path) -> None:
    assert fault in find_fault(["aws", *line.split()], tmp_path)


def test_the_traffic_of_a_canary_adds_up(walked: Walk) -> None:
    """Of every command and object that shares traffic out in percent."""
    shares = [
        [int(part) for part in re.findall(r"=(\d+)", word.partition("=")[2] if word.startswith("--") else word)]
        for command in walked.commands
        for word in command
        if re.match(r"--traffic-split=|version-\d=\d", word)
    ]
    shares += [
        [int(part) for part in re.findall(r'"percent": (\d+)', word)] for _, *words in walked.commands for word in words
    ]
    assert all(sum(one) == 100 for one in shares if len(one) > 1), shares


def test_what_is_collected_is_json() -> None:
    """Of every platform whose files set variables for what collects its logs."""
    files = [
        *DEPLOY.glob("cloud-run/*.yaml"),
        *DEPLOY.glob("knative/*/service.yaml"),
        *DEPLOY.glob("kserve/*/service.yaml"),
        DEPLOY / "ecs" / "task-definition.json",
    ]
    found = {path: list(find_variables(yaml.safe_load(path.read_text(encoding="utf-8")))) for path in files}
    assert len(found) == 7
    assert [path for path, variables in found.items() if ("LOG_FORMAT", "json") not in variables] == []
    page = (DEPLOY / "sagemaker" / "README.md").read_text(encoding="utf-8")
    assert page.count("create-model ") == page.count("Environment={LOG_FORMAT=json}") == 2


def find_variables(tree: Any) -> Iterator[tuple[str, str]]:
    """Yield each name that has a value, however deep."""
    if isinstance(tree, dict) and {"name", "value"} <= tree.keys():
        yield tree["name"], tree["value"]
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from find_variables(part)


@pytest.mark.parametrize("platform", ["knative", "kserve"])
def test_kubectl_makes_your_image_and_the_token_of_your_folder(platform: str, tmp_path: Path) -> None:
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    documents: list[Any] = [*yaml.safe_load_all(walk(DEPLOY / platform / "README.md", tmp_path).rendered)]
    assert documents
    last = documents[-1]["spec"]
    pod = last["predictor"] if platform == "kserve" else last["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"registry.example.org/flight-delay@{DIGEST}" or platform == "kserve"
    assert {"name": "AUTH_TOKEN_FILE", "value": "/etc/ekiben/token/token"} in container["env"]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/etc/ekiben/token"}
    assert {volume["name"] for volume in pod["volumes"]} == {"tmp", "token"}
