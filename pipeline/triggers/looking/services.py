"""Which alarms the services of a model have, looked up in what they and their replicas counted together."""

from collections import defaultdict
from collections.abc import Sequence

from ekiben.contract.errors import UserError
from ekiben.contract.reference.alarms.alarm_text import describe_finding
from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.monitoring.drift import judge_sources
from ekiben.monitoring.sources import read_snapshots
from ekiben.pipeline.triggers.looking.seen import Alarm
from ekiben.training.redaction import redact_uri


def find_alarms(services: Sequence[str], model: str) -> tuple[list[Alarm], list[str]]:
    """Return the alarms of each version that answers, that of most services first, and why a service says nothing.

    A service that is away, or of another model, silences no other.
    """
    alarms, troubles = [], []
    versions: defaultdict[str, list[str]] = defaultdict(list)
    for service in services:
        try:
            snapshot = read_snapshots([service])[service]
        except UserError as error:
            troubles.append(str(error))
            continue
        if snapshot.model == model:
            versions[snapshot.version].append(service)
        else:
            troubles.append(f"{redact_uri(service)} serves {snapshot.model}, not {model}: name a service of {model}")
    for version, those in sorted(versions.items(), key=lambda item: -len(item[1])):
        try:
            report = judge_sources(those)
        except UserError as error:
            troubles.append(str(error))
            continue
        if report.alarms:
            alarms.append(_to_alarm(version, report))
    return alarms, troubles


def _to_alarm(version: str, report: AlarmReport) -> Alarm:
    features = sorted(one.feature for one in report.alarms)
    texts = tuple(map(describe_finding, report.alarms))
    return Alarm(version, f"{report.start:%Y-%m-%d}", tuple(features), texts)
