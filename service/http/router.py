"""Finds what answers on a path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ekiben.service.http.messages import App

_BEGINNING = re.compile(r"/[\w.-]+")
REMEMBERED_PATHS, REMEMBERED_CHARACTERS = 1024, 256  # of each


@dataclass(frozen=True)
class Resource:
    """All that answers on one path."""

    apps: Mapping[str, App]  # by method
    other: App  # for all other methods
    probes: frozenset[str]  # the methods that need no token
    page: bool


@dataclass(frozen=True)
class Found:
    """A resource, and what its template's names stand for in this path."""

    resource: Resource
    parameters: Mapping[str, str]


class Router:
    """Resources by path template; what was added first wins."""

    def __init__(self) -> None:
        self._resources: list[tuple[re.Pattern[str], Resource]] = []
        self.beginnings: tuple[str, ...] = ()  # of the paths there are, such as /v2
        self._remember = lru_cache(REMEMBERED_PATHS)(self._find)

    def find(self, path: str) -> Found | None:
        """Return what answers on a path; a long one is looked up each time, so that strangers' paths take no memory."""
        return self._remember(path) if len(path) <= REMEMBERED_CHARACTERS else self._find(path)

    def add(self, template: str, resource: Resource) -> None:
        """Let a resource answer on the paths of a template, as `Route` describes it; a slash at its end is dropped."""
        template = template.removesuffix("/") or "/"
        self._resources.append((compile_template(template), resource))
        beginning = _BEGINNING.match(template)
        if beginning and beginning[0] not in self.beginnings:
            self.beginnings += (beginning[0],)
        self._remember.cache_clear()

    def _find(self, path: str) -> Found | None:
        for pattern, resource in self._resources:
            if matched := pattern.fullmatch(path):
                return Found(resource, {name: text for name, text in matched.groupdict().items() if text is not None})
        return None


def compile_template(template: str) -> re.Pattern[str]:
    """Return the pattern of the paths that fit a template."""
    parts = re.split(r"(\\.|\{\w+(?::path)?\}|\[|\])", template, flags=re.DOTALL)
    return re.compile("".join(map(_translate, parts)), re.DOTALL)


def escape(path: str) -> str:
    """Return the template that only this path fits, whatever characters it holds."""
    return re.sub(r"([\\\[\]{}])", r"\\\1", path)


def _translate(part: str) -> str:
    if part in ("[", "]"):
        return "(?:" if part == "[" else ")?"
    if part.startswith("\\"):  # what `escape` wrote
        return re.escape(part[1:])
    if part.startswith("{"):
        name, _, kind = part[1:-1].partition(":")
        return f"(?P<{name}>.*)" if kind else f"(?P<{name}>[^/:]+)"
    return re.escape(part)
