"""Where the service listens: what was asked for, under which name, and what keeps it from listening there."""

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from ekiben.service.environment import find_port_variable
from ekiben.service.host_address import ADDRESSES
from ekiben.service.settings import InvalidSettings, Settings

MAX_PORT = 65535
OF_THE_PORT = (errno.EADDRINUSE, errno.EACCES)  # another port would do; any other reason is the address's


@dataclass(frozen=True)
class Chosen:
    """A value and the name it was given under."""

    value: Any
    name: str  # with what stands before a value: `PORT=`, `--port `


@dataclass(frozen=True)
class Ports:
    """One address and the ports on it."""

    host: Chosen
    http: Chosen
    grpc: Chosen

    def check(self) -> None:
        """Raise InvalidSettings unless the service can listen there."""
        if self.http.value == self.grpc.value:
            hint = "with GRPC_ON_MAIN_PORT=1 the HTTP port answers gRPC too"
            raise InvalidSettings(
                f"HTTP and gRPC can't both have port {self.http.value}: set another GRPC_PORT=…; {hint}"
            )
        for port in (self.http, self.grpc):
            check_port(self.host, port)


def choose_ports(settings: Settings) -> Ports:
    """Return where to listen: the command line goes before the settings."""
    port_name = f"{find_port_variable(os.environ) or 'PORT'}="
    return Ports(
        choose("host", Chosen(settings.host, "HOST=")),
        choose("port", Chosen(settings.port, port_name)),
        Chosen(settings.grpc_port, "GRPC_PORT="),
    )


def choose(option: str, setting: Chosen) -> Chosen:
    """Return what `bentoml serve` was given as that option, by its variable too, or else the setting."""
    command = click.get_current_context(silent=True)  # none in code that starts the service itself
    value = command.params.get(option) if command else None
    if command is None or value is None:
        return setting
    typed = command.get_parameter_source(option) is ParameterSource.COMMANDLINE
    return Chosen(value, f"--{option} " if typed else f"BENTOML_{option.upper()}=")


def check_port(host: Chosen, port: Chosen) -> None:
    """Raise InvalidSettings unless the port can be listened on."""
    if not 0 <= port.value <= MAX_PORT:
        raise InvalidSettings(f"{port.name}{port.value}: a port is a number up to {MAX_PORT}")
    open_socket(host, port).close()


def open_socket(host: Chosen, port: Chosen) -> socket.socket:
    """Return what connections to the port are accepted with; raise InvalidSettings if it can't be had."""
    try:
        return listen(host.value, port.value)
    except ValueError:
        raise InvalidSettings(f"{host.name}{host.value} is not an IP address: {ADDRESSES}") from None
    except OSError as error:
        if error.errno in OF_THE_PORT:
            reason = f"port {port.value} can't be used ({error.strerror}): choose another with {port.name}…"
        else:
            reason = f"{host.name}{host.value} can't be listened on ({error.strerror}): {ADDRESSES}"
        raise InvalidSettings(reason) from None


def listen(host: str, port: int) -> socket.socket:
    """Listen as BentoML does; raise OSError if that can't be done."""
    family = socket.AF_INET if ipaddress.ip_address(host).version == 4 else socket.AF_INET6
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener


def in_url(host: str) -> str:
    """Return the address as a URL has it before the port."""
    return f"[{host}]" if ":" in host else host
