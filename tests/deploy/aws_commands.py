"""Reads a command line of `aws` as its CLI does, and says what AWS's own API model has against it."""

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import ParamValidator

SESSION = botocore.session.Session()
OURS = {"query": 1, "output": 1, "region": 1, "cli-input-json": 1}  # options of every command
NOT_MODELLED = {("logs", "tail"), ("ecr", "get-login-password")}  # which the CLI adds


def find_fault(command: list[str], folder: Path) -> str:
    """Return why AWS would not take a command, or ""."""
    service, verb, *rest = command[1:]
    if (service, verb) in NOT_MODELLED:
        return ""
    model = SESSION.get_service_model(service)
    if verb == "wait":
        verb, *rest = rest
        waiters = SESSION.get_waiter_model(service)
        names = {xform_name(name, "-"): name for name in waiters.waiter_names}
        if verb not in names:
            return f"{service} can't wait for {verb}"
        verb = xform_name(waiters.get_waiter(names[verb]).operation, "-")
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if verb not in operations:
        return f"{service} has no {verb}"
    shape = model.operation_model(operations[verb]).input_shape
    options = read_options(rest)
    request: dict[str, Any] = {}
    if given := options.pop("cli-input-json", None):
        request = json.loads(read_file(given[0], folder))
    members = {xform_name(name, "-"): name for name in shape.members}
    for option, words in options.items():
        if option in OURS:
            continue
        if option not in members:
            return f"{service} {verb} has no --{option}"
        request[members[option]] = read_value(words, shape.members[members[option]], folder)
    fault: str = ParamValidator().validate(request, shape).generate_report()
    return fault or find_stranger(request, shape)


def read_options(words: list[str]) -> dict[str, list[str]]:
    """Return each option's values; what stands before the first is the file that an answer goes to."""
    options: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            options[word[2:]] = []
        elif options:
            [*options.values()][-1].append(word)
    return options


def read_file(address: str, folder: Path) -> str:
    """Return what `file://` names."""
    return (folder / address.partition("://")[2]).read_text(encoding="utf-8")


def read_value(words: list[str], shape: Any, folder: Path) -> Any:
    """Return an option's value."""
    if shape.type_name == "boolean":
        return True
    if words[0].startswith("file://"):
        return json.loads(read_file(words[0], folder))
    if words[0].startswith("fileb://"):
        return read_file(words[0], folder).encode()
    if shape.type_name == "blob":
        return words[0].encode()
    if shape.type_name == "list":
        return [read_one(word, shape.member) for word in words]
    assert len(words) == 1, words
    return read_one(words[0], shape)


def read_one(word: str, shape: Any) -> Any:
    """Return one value: a number, a word, or a structure in the CLI's shorthand."""
    return fit(Shorthand(word).read_pairs() if shape.type_name == "structure" else word, shape)


class Shorthand:
    """`key=value,key={key=value},key=[value,value]`."""

    def __init__(self, text: str) -> None:
        self._left = re.findall(r"[{}\[\],=]|[^{}\[\],=]+", text)

    def read_pairs(self) -> dict[str, Any]:
        """Return the pairs up to the end, or the brace that closes them."""
        pairs: dict[str, Any] = {}
        while self._left and self._left[0] != "}":
            key, equals = self._left.pop(0), self._left.pop(0)
            assert equals == "=", f"{key} has no value"
            pairs[key] = self._read()
            if self._left[:1] == [","]:
                self._left.pop(0)
        return pairs

    def _read(self) -> Any:
        token = self._left.pop(0)
        if token == "{":
            pairs = self.read_pairs()
            self._left.pop(0)
            return pairs
        if token == "[":
            values = []
            while (one := self._left.pop(0)) != "]":
                values += [] if one == "," else [one]
            return values
        return token


def fit(value: Any, shape: Any) -> Any:
    """Return a value that was read from text as what the model has."""
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        return {name: fit(one, members[name]) if name in members else one for name, one in value.items()}
    if kind == "map":
        return {name: fit(one, shape.value) for name, one in value.items()}
    if kind == "list":
        return [fit(one, shape.member) for one in (value if isinstance(value, list) else [value])]
    return {"integer": int, "long": int, "double": float, "float": float}.get(kind, str)(value)


def find_stranger(value: Any, shape: Any) -> str:
    """Return a word that is not one of those that the model lists, or ""."""
    if shape.type_name == "structure":
        return next(filter(None, (find_stranger(one, shape.members[name]) for name, one in value.items())), "")
    if shape.type_name == "list":
        return next(filter(None, (find_stranger(one, shape.member) for one in value)), "")
    listed = getattr(shape, "enum", None)
    return f"{value} is none of {shape.name}" if listed and value not in listed else ""
