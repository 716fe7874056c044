"""What `ekiben watch` needs before its first look; what is missing is said at once, not when it is needed."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from ekiben.contract.errors import UserError
from ekiben.model.home import find_log
from ekiben.monitoring.fetching import URL_ADVICE, is_url
from ekiben.pipeline.triggers.watch import Lookout
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_uri
from ekiben.training.retrain_config import Retrain

WHERE = "docs/triggers.md has an example"


class NothingToWatch(UserError):
    """The rules ask for what can't be looked at."""


def find_rules(problem: ProblemConfig, listens: bool) -> Retrain:
    """Return the rules of a problem; raise NothingToWatch if they could never train."""
    rules = problem.retrain or Retrain()
    asks = (rules.schedule, rules.new_rows, rules.new_labels, rules.drift, rules.score)
    if not (any(asks) or listens):
        raise NothingToWatch(f"[retrain] of the problem file of `{problem.name}` says no reason to train: {WHERE}")
    return rules


def build_lookout(problem: ProblemConfig, rules: Retrain, services: Sequence[str], log: str | None) -> Lookout:
    """Return where to look; raise NothingToWatch if a rule has nothing to look at."""
    wrong = next((one for one in services if not is_url(one)), None)
    if wrong is not None:
        raise NothingToWatch(f"--service {redact_uri(wrong)} is not a URL: {URL_ADVICE}")
    if rules.drift and not services:
        raise NothingToWatch("`retrain.drift` needs the services whose alarms count: name each with --service")
    row_log = source = None
    if rules.new_labels or rules.score:
        from ekiben.pipeline.triggers.looking.row_log import RowLog  # metrics and Arrow: seconds

        row_log = RowLog(_find_folder(log), problem.name)
    if rules.new_rows:
        from ekiben.pipeline.triggers.looking.source_rows import RowCount

        source = RowCount(problem.source)
    return Lookout(problem, rules, list(dict.fromkeys(services)), row_log, source)


def _find_folder(log: str | None) -> str:
    if log is None and not find_log().is_dir():
        raise NothingToWatch("`retrain.new_labels` and `retrain.score` need the row log: name its folder with --log")
    return log or str(find_log())


def list_instances(services: Sequence[str]) -> frozenset[str]:
    """Return what Prometheus calls these services in its label `instance`."""
    parts = [urlsplit(one) for one in services]
    return frozenset(f"{one.hostname}:{one.port or (443 if one.scheme == 'https' else 80)}" for one in parts)
