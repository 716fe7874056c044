"""Which rows of the training table an image carries out of the house, in a sentence."""

from collections.abc import Iterator

from ekiben.model.package import PackedModel
from ekiben.training.privacy_config import Privacy

MEND = "`[privacy]` in problem.toml can scramble or omit them"


def describe_rows(model: PackedModel) -> str:
    """Say which rows of the table are in a package, and whether they are as they were."""
    said = read_privacy(model)
    carried = list(_count(model, said))
    if not carried:
        return "carries no rows of training"
    whole = "keep" in said.model_dump().values()
    return f"carries {', '.join(carried[:-1])}{' and ' if carried[1:] else ''}{carried[-1]}" + (
        f": {MEND}" if whole else ""
    )


def read_privacy(model: PackedModel) -> Privacy:
    """Return what the problem file said when the model was trained."""
    provenance = model.provenance
    return Privacy.model_validate(provenance.definition.problem.get("privacy", {}) if provenance else {})


def _count(model: PackedModel, said: Privacy) -> Iterator[str]:
    scrambled = {how: ", scrambled," if how == "scramble" else "" for how in ("keep", "scramble", "omit")}
    if model.has_golden:
        yield f"{len(model.load_golden().rows)} golden rows{scrambled[said.golden]} held out of training"
    if background := model.background:
        yield f"{len(background)} background rows{scrambled[said.background]} of training"
    if said.example != "omit":
        yield f"1 example row{' of different rows' if said.example == 'scramble' else ''}"
