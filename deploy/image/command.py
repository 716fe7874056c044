"""The command that builds the image of the packed model; what is heavy is imported only as it runs."""

import argparse

from ekiben.deploy.image.builder import BUILDERS, find_builder
from ekiben.deploy.image.locks import LOCKS
from ekiben.deploy.image.registered import SCHEME, fetched

STOPPED = "interrupted: no image was built"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument(
        "--model",
        help="its name in the BentoML store (default: MODEL_NAME, or the problem of this folder), or a version of the "
        "MLflow registry: models:/NAME@ALIAS, models:/NAME/VERSION",
    )
    parser.add_argument(
        "--training", action="store_true", help="build the image that trains instead: it runs the pipeline's steps"
    )
    parser.add_argument("-t", "--tag", default="", help="the image's name (default: MODEL:VERSION)")
    parser.add_argument("--backend", choices=BUILDERS, help="what builds it (default: the first that is installed)")
    parser.add_argument("--engine", choices=LOCKS, help="whose packages it carries (default: what the model needs)")
    base = parser.add_mutually_exclusive_group()
    base.add_argument(
        "--base", default="", metavar="NAME[@DIGEST]", help="begin at this image (default: bentofile.yaml's)"
    )
    base.add_argument(
        "--pin-base",
        nargs="?",
        const="",
        metavar="NAME[@DIGEST]",
        help="build nothing: write into bentofile.yaml the digest that the base has in its registry now, or this one",
    )
    parser.add_argument(
        "--opt", dest="options", action="append", default=[], metavar="KEY=VALUE",
        help="handed to the builder, such as network=host",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Build the image and print how to run it."""
    if options.pin_base is not None:
        from ekiben.deploy.image.base import move_base

        print(f"images begin at {move_base(find_builder(options.backend), options.pin_base)}")
        return
    if options.training:
        from ekiben.deploy.image.training import build_training

        print(build_training(options.tag, options.backend, options.options, options.base))
        return
    if (options.model or "").startswith(SCHEME):
        find_builder(options.backend)  # before anything is fetched
        with fetched(options.model) as model:
            _build(model, options)
        return
    from ekiben.training.problem import choose_model

    _build(choose_model(options.model), options)


def _build(model: str, options: argparse.Namespace) -> None:
    from ekiben.deploy.image.build import Plan, build

    print(build(Plan(model, options.tag, options.backend, options.engine, options.options, options.base)))
