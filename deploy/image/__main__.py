"""Builds the image of the packed model: `make image`, or `python -m ekiben.deploy.image --help`."""

import argparse
import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.deploy.image.bento import LOCKS, build_bento
from ekiben.deploy.image.builder import BUILDERS, check_tag, containerize, find_builder, read_size
from ekiben.deploy.image.labels import describe_image
from ekiben.deploy.image.sbom import write_sbom
from ekiben.model.store import find_model, open_stored
from ekiben.service.settings import read_settings

OUTPUT = Path("dist")


@dataclass(frozen=True)
class Plan:
    """What is asked for; what is left out follows from the model and the machine."""

    tag: str = ""
    backend: str | None = None
    engine: str | None = None
    options: list[str] = field(default_factory=list)  # the builder's own, KEY=VALUE


def main() -> int:
    """Build the bento, the image and its bill of materials."""
    plan = parse()
    logging.getLogger("bentoml").setLevel(logging.ERROR)  # which builders are not there, and that v1 is as good as v2
    try:
        print(build(plan))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse() -> Plan:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.deploy.image", description=__doc__.splitlines()[0])
    parser.add_argument("-t", "--tag", default="", help="the image's name (default: MODEL:VERSION)")
    parser.add_argument("--backend", choices=BUILDERS, help="what builds it (default: the first that is installed)")
    parser.add_argument("--engine", choices=LOCKS, help="whose packages it carries (default: what the model needs)")
    parser.add_argument(
        "--opt", dest="options", action="append", default=[], metavar="KEY=VALUE",
        help="handed to the builder, such as network=host",
    )  # fmt: skip
    return Plan(**vars(parser.parse_args()))


def build(plan: Plan) -> str:
    """Build what is planned and return what there is to say of it; raise UserError naming what is missing."""
    builder = find_builder(plan.backend)  # before the work that would be lost
    model = open_stored(find_model(read_settings().model_name))
    engine = plan.engine or model.manifest.engine
    tag = plan.tag or f"{model.name.lower()}:{model.version}"
    check_tag(tag)
    file = OUTPUT / f"{model.name}-{model.version}-{engine}"
    sbom = file.with_suffix(".cdx.json")
    write_sbom(LOCKS[engine], sbom)
    print(f"building {tag} of {model.name} version {model.version} with {builder}: a minute or two …", flush=True)
    bento = build_bento(engine, f"{model.version}-{engine}")
    options = [f"build-arg=MODEL_DIGEST={model.digest}", *plan.options]
    containerize(builder, bento, tag, describe_image(model, engine), options, file.with_suffix(".log"))
    return f"{tag}: {read_size(builder, tag)}; its packages: {sbom}; run it:\n\n  {show_run(builder, tag)}\n"


def show_run(builder: str, tag: str) -> str:
    """Return the command that runs an image; buildah builds for podman."""
    runner = "podman" if builder == "buildah" else builder
    return f"{runner} run --rm -p 8080:8080 -p 9000:9000 {tag}"


if __name__ == "__main__":
    sys.exit(main())
