"""Builds the bento, the image, its bill of materials and the record of how it was built."""

import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ekiben.contract.errors import InvalidModel
from ekiben.deploy.image.base import find_base
from ekiben.deploy.image.bento import build_bento
from ekiben.deploy.image.builder import check_tag, containerize, find_builder, read_id, read_size
from ekiben.deploy.image.sbom.bill import FILE
from ekiben.deploy.image.statements.build_record import Built, write_record
from ekiben.deploy.image.statements.carried_rows import describe_rows
from ekiben.deploy.image.statements.inspect import read_file
from ekiben.deploy.image.statements.labels import describe_image
from ekiben.model.package import PackedModel
from ekiben.model.selection import open_models
from ekiben.training.home import make_folder

OUTPUT = "dist"
BILL = f"/opt/bento/{FILE}"  # where the image has it


@dataclass(frozen=True)
class Plan:
    """What is asked for; what is left out follows from the model and the machine."""

    model: str = ""
    tag: str = ""
    backend: str | None = None
    engine: str | None = None
    options: list[str] = field(default_factory=list)  # the builder's own, KEY=VALUE
    base: str = ""


def build(plan: Plan) -> str:
    """Build what is planned and return what there is to say of it; raise UserError naming what is missing."""
    builder = find_builder(plan.backend)  # before the work that would be lost
    logging.getLogger("bentoml").setLevel(logging.ERROR)  # which builders are not there, and that v1 is as good as v2
    model, began = open_one(plan.model), datetime.now(UTC)
    os.environ["MODEL_NAME"] = model.name  # for BentoML, which imports the service as it builds
    engine = plan.engine or model.manifest.engine
    tag = plan.tag or f"{model.name.lower()}:{model.version}"
    check_tag(tag)
    base = find_base(builder, plan.base)
    file = make_folder(OUTPUT) / f"{model.name}-{model.version}-{engine}"
    print(f"building {tag} of {model.name} version {model.version} with {builder}: a minute or two …", flush=True)
    bento = build_bento(engine, f"{model.version}-{engine}", docker={"base_image": base.reference})
    options = [f"build-arg=MODEL_DIGEST={model.digest}", *plan.options]
    labels = describe_image(model, engine, base)
    containerize(builder, bento, tag, labels, options, file.with_suffix(".log"))
    files = copy_bill(builder, tag, file.with_suffix(".cdx.json"))
    record = file.with_suffix(".provenance.json")
    write_record(Built(model, tag, read_id(builder, tag), engine, builder, base, labels, began, files), record)
    said = [f"{tag}: {read_size(builder, tag)}, on {base}", describe_rows(model)]
    said.append(f"its packages: {files[FILE]}" if files else f"its packages: {BILL} in it, which {builder} can't copy")
    return "; ".join([*said, f"how it was built: {record}", f"run it:\n\n  {show_run(builder, tag)}\n"])


def copy_bill(builder: str, tag: str, path: Path) -> dict[str, Path]:
    """Copy the bill of materials out of an image; return what was written, nothing where the builder can't copy."""
    content = read_file(builder, tag, BILL)
    if content is None:
        return {}
    path.write_bytes(content)
    return {FILE: path}


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
