"""Reads the settings from the variables of the environment."""

import os
from collections.abc import Mapping

from pydantic import ValidationError

from ekiben.contract.faults import find_fault
from ekiben.service.secrets.checking import UNREAD
from ekiben.service.settings import InvalidSettings, Settings

# Where the HTTP port may stand, first come first served; `--port` and BENTOML_PORT go before all of them.
PORT_VARIABLES = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT", "PORT")


def read_settings(unread: bool = False) -> Settings:
    """Read the settings from the environment; raise InvalidSettings naming the variable that is wrong.

    `unread`: without a look into the files of tokens and certificates, of which a service may keep what it has read.
    """
    given = {name: os.environ[name.upper()] for name in Settings.model_fields if os.environ.get(name.upper())}
    port_variable = find_port_variable(os.environ)
    if port_variable:
        given["port"] = os.environ[port_variable]
    try:
        return Settings.model_validate(given, context={UNREAD: unread})
    except ValidationError as error:
        place, reason = find_fault(error)
        if not place:  # two settings that don't go together
            raise InvalidSettings(reason) from None
        (name, *_) = place
        variable = port_variable if name == "port" else name.upper()
        raise InvalidSettings(f"{variable}={given.get(name, 'default')!r}: {reason}") from None


def find_port_variable(environment: Mapping[str, str]) -> str:
    """Return the first variable of PORT_VARIABLES that is set, or "".

    Vertex AI's counts only where its AIP_MODE is set as well.
    """
    present = (name for name in PORT_VARIABLES if environment.get(name))
    return next((name for name in present if name != "AIP_HTTP_PORT" or environment.get("AIP_MODE")), "")
