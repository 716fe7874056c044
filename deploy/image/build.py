"""Builds the bento, the image and its bill of materials."""

import logging
import os
from dataclasses import dataclass, field

from ekiben.contract.errors import InvalidModel
from ekiben.deploy.image.bento import build_bento
from ekiben.deploy.image.builder import check_tag, containerize, find_builder, read_size
from ekiben.deploy.image.labels import describe_image
from ekiben.deploy.image.locks import LOCKS
from ekiben.deploy.image.sbom import write_sbom
from ekiben.model.package import PackedModel
from ekiben.model.selection import open_models
from ekiben.training.home import make_folder

OUTPUT = "dist"


@dataclass(frozen=True)
class Plan:
    """What is asked for; what is left out follows from the model and the machine."""

    model: str = ""
    tag: str = ""
    backend: str | None = None
    engine: str | None = None
    options: list[str] = field(default_factory=list)  # the builder's own, KEY=VALUE


def build(plan: Plan) -> str:
    """Build what is planned and return what there is to say of it; raise UserError naming what is missing."""
    builder = find_builder(plan.backend)  # before the work that would be lost
    logging.getLogger("bentoml").setLevel(logging.ERROR)  # which builders are not there, and that v1 is as good as v2
    model = open_one(plan.model)
    os.environ["MODEL_NAME"] = model.name  # for BentoML, which imports the service as it builds
    engine = plan.engine or model.manifest.engine
    tag = plan.tag or f"{model.name.lower()}:{model.version}"
    check_tag(tag)
    file = make_folder(OUTPUT) / f"{model.name}-{model.version}-{engine}"
    sbom = file.with_suffix(".cdx.json")
    write_sbom(LOCKS[engine], sbom)
    print(f"building {tag} of {model.name} version {model.version} with {builder}: a minute or two …", flush=True)
    bento = build_bento(engine, f"{model.version}-{engine}")
    options = [f"build-arg=MODEL_DIGEST={model.digest}", *plan.options]
    containerize(builder, bento, tag, describe_image(model, engine), options, file.with_suffix(".log"))
    return f"{tag}: {read_size(builder, tag)}; its packages: {sbom}; run it:\n\n  {show_run(builder, tag)}\n"


def open_one(name: str) -> PackedModel:
    """Open the model that the image gets; raise InvalidModel if several are named."""
    models = open_models(name)
    if len(models) > 1:
        raise InvalidModel(
            f"an image holds one model, but {', '.join(one.name for one in models)} are named: build one of each with "
            "--model, or serve them all from a store that is mounted at BENTOML_HOME"
        )
    return models[0]


def show_run(builder: str, tag: str) -> str:
    """Return the command that runs an image; buildah builds for podman."""
    runner = "podman" if builder == "buildah" else builder
    return f"{runner} run --rm -p 8080:8080 -p 9000:9000 {tag}"
