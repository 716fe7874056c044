"""Prints what takes the room in an image: `python -m ekiben.deploy.image.contents BILL`, one that a build left/."""

import json
import sys
from pathlib import Path

from ekiben.contract.errors import UserError

SHOWN = 12


class NoBill(UserError):
    """The file is no bill of materials of ours."""


def main() -> int:
    """Print a Markdown table of the bill that is named."""
    if len(sys.argv) != 2:
        print("error: name the bill of materials that `ekiben image` left in dist/", file=sys.stderr)
        return 2
    try:
        print(write_table(Path(sys.argv[1])))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def write_table(path: Path, shown: int = SHOWN) -> str:
    """Return the largest components with their bytes on disk, without bytecode, and the rest in a line."""
    rows = sorted(read_sizes(path), reverse=True)
    lines = [f"| {name} | {kind} | {size / 1e6:.1f} |" for size, name, kind in rows[:shown]]
    rest = sum(size for size, _, _ in rows[shown:])
    others = [f"| {len(rows) - shown} others | | {rest / 1e6:.1f} |"] if rows[shown:] else []
    return "\n".join(["| what | of | MB |", "|---|---|--:|", *lines, *others])


def read_sizes(path: Path) -> list[tuple[int, str, str]]:
    """Return bytes, name with version, and kind of each component that has files; raise NoBill if it is no bill."""
    try:
        components = json.loads(path.read_bytes())["components"]
        facts = [(one, {p["name"]: p["value"] for p in one.get("properties", ())}) for one in components]
        return [
            (int(known["ekiben:bytes"]), f"{one['name']} {one['version']}", known["ekiben:kind"])
            for one, known in facts
            if "ekiben:bytes" in known
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise NoBill(f"{path} is no bill of materials that `ekiben image` wrote") from None


if __name__ == "__main__":
    sys.exit(main())
