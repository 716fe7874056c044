"""Tells Airflow 3 of an asset's event: `ekiben watch --do "python -m ekiben.pipeline.triggers.adapters.airflow"`.

`POST /api/v2/assets/events` at `AIRFLOW_URL`, for the asset whose URI is `AIRFLOW_ASSET`; every DAG that is scheduled
on it starts, and finds the event, as JSON, in `extra["event"]`. The token is `AIRFLOW_TOKEN`, or what `/auth/token`
gives for `AIRFLOW_USERNAME` and `AIRFLOW_PASSWORD`.
"""

import sys

from ekiben.pipeline.triggers.adapters.calls import EngineFailed, call, read_setting, run
from ekiben.pipeline.triggers.events.event import Event


def create_asset_event(event: Event) -> str:
    """Create the event; return a sentence with its number. Raises EngineFailed."""
    url, asset = read_setting("AIRFLOW_URL").rstrip("/"), read_setting("AIRFLOW_ASSET")
    token = read_setting("AIRFLOW_TOKEN", "") or log_in(url)
    body = {"asset_id": find_asset(url, token, asset), "extra": {"event": event.to_json()}}
    number = call("POST", f"{url}/api/v2/assets/events", token, body).get("id")
    return f"Airflow has the event {number} of {asset} for {event.reason}"


def find_asset(url: str, token: str, asset: str) -> int:
    """Return the number of the asset with a URI; raise EngineFailed if no DAG names it."""
    found = call("GET", f"{url}/api/v2/assets", token, uri_pattern=asset).get("assets")
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict) and one.get("uri") == asset and isinstance(one.get("id"), int):
            return int(one["id"])
    raise EngineFailed(f"Airflow has no asset {asset}: a DAG must name it, and be parsed")


def log_in(url: str) -> str:
    """Return a token for a name and a password; raise EngineFailed."""
    given = {"username": read_setting("AIRFLOW_USERNAME"), "password": read_setting("AIRFLOW_PASSWORD")}
    token = call("POST", f"{url}/auth/token", body=given).get("access_token")
    if not isinstance(token, str):
        raise EngineFailed(f"{url}/auth/token answers without an access_token: is this Airflow 3?")
    return token


if __name__ == "__main__":
    sys.exit(run(create_asset_event))
