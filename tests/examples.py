"""The examples in the documentation: blocks of shell and Python, and what is shown as their output.

An example that the tests can't run has a title that says so and why, which the site shows above it:
```sh title="not run: asks two replicas"
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
RUN = ("sh", "console", "python")
NOT_RUN = 'title="not run: '
WITH_SPARK = 'title="with Spark"'  # tests/deploy/test_spark.py runs it
HEREDOC = re.compile(r"<<'(\w+)'")
# What differs from run to run: numbers, identifiers, and which of two labels is the likelier.
VARYING = re.compile(r"\b[0-9a-f]{24,}\b|\b(?:true|false)\b|-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?")


@dataclass(frozen=True)
class Command:
    """A command, and the output that is shown below it; "" if none is."""

    line: str
    output: str = ""

    @property
    def program(self) -> str:
        """What it starts, without variables set before it and a comment behind it."""
        words = shlex.split(self.line, comments=True)
        return next((word for word in words if not re.match(r"\w+=", word)), "")

    @property
    def arguments(self) -> list[str]:
        """What follows the program."""
        words = shlex.split(self.line, comments=True)
        return words[words.index(self.program) + 1 :]


@dataclass(frozen=True)
class Example:
    """A block of a page."""

    page: str
    line: int
    language: str
    info: str
    body: str
    answer: str = ""  # the block of JSON or text right below it

    @property
    def commands(self) -> list[Command]:
        """The commands of a block of shell; one that is alone shows the block below it as its output."""
        read = read_console if self.language == "console" else read_script
        commands = list(read(self.body))
        if self.answer and len(commands) == 1:
            return [Command(commands[0].line, self.answer)]
        return commands

    @property
    def is_run(self) -> bool:
        """Whether its title does not say otherwise."""
        return NOT_RUN not in self.info and WITH_SPARK not in self.info

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_examples(path: Path, name: str) -> list[Example]:
    """Return a page's blocks that could be run."""
    page, examples = path.read_text(encoding="utf-8"), []
    found = list(BLOCK.finditer(page))
    for block, following in zip(found, [*found[1:], None], strict=False):
        below = following is not None and not page[block.end() : following.start()].strip()
        answer = following["body"] if following and below and following["language"] in ("json", "text") else ""
        if block["language"] in RUN:
            line = page.count("\n", 0, block.start()) + 1
            examples.append(Example(name, line, block["language"], block["info"].strip(), block["body"], answer))
    return examples


def read_console(body: str) -> Iterator[Command]:
    """Yield the commands behind `$`, each with the lines up to the next one."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.replace("\\\n", "").partition("\n")
        yield Command(command, output)


def read_script(body: str) -> Iterator[Command]:
    """Yield the commands of a script; a comment that fills a line is the output of the one above it."""
    lines, command = iter(body.splitlines()), ""
    output: list[str] = []
    for line in lines:
        if line.startswith("# "):
            output.append(line[2:])
            continue
        if command:
            yield Command(command, "\n".join(output))
        command, output = _read_whole(line, lines), []
    if command:
        yield Command(command, "\n".join(output))


def _read_whole(line: str, following: Iterator[str]) -> str:
    """Return a command with the lines that it goes on in: of quotes, of a here-document, of a pipe."""
    if mark := HEREDOC.search(line):
        body = list(iter(following.__next__, mark[1]))
        return "\n".join([line, *body, mark[1]])
    while line.endswith(("\\", "|")) or not _is_closed(line):
        line = f"{line}\n{next(following)}"
    return line


def _is_closed(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def matches(shown: str, printed: str) -> bool:
    """Return whether an output is the one shown, but for what varies; `…` stands for anything."""
    pattern = ".*".join(map(re.escape, _simplify(shown).split("…")))
    return re.fullmatch(pattern, _simplify(printed), re.DOTALL) is not None


def _simplify(output: str) -> str:
    return "".join(VARYING.sub("0", output).split())
