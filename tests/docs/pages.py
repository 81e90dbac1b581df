"""The pages of documentation as text, and the lines that the code wants to find in them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo

from hawker.cli.main import app
from hawker.core.settings import Settings
from hawker.protocol.params import Param
from hawker.protocol.service_types import TYPES, QuantityRule, ServiceType

REPOSITORY = Path(__file__).resolve().parents[2]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
"""How pages name the test that proves what they say."""


def page(name: str) -> str:
    """The text of a page, by its path in the repository."""
    return (REPOSITORY / name).read_text(encoding="utf-8")


def rows(text: str) -> list[str]:
    """The lines of all tables, without their headings and rules."""
    lines = text.splitlines()
    return [
        line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("|") and not line.startswith("|---") and not following.startswith("|---")
    ]


def section(text: str, heading: str) -> str:
    """What stands below this heading, up to the next one; empty where there is none."""
    _, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    return rest.partition("\n#")[0] if found else ""


@cache
def names_in(path: str) -> frozenset[str]:
    """The test functions of a file, as pytest collects them."""
    assert Path(path).name.startswith("test_"), f"{path} is not collected"
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def setting_rows() -> list[str]:
    """The line of docs/settings.md for each setting."""
    return [f"| `{name}` | {_default(field)} | {field.description} |" for name, field in Settings.model_fields.items()]


def _default(field: FieldInfo) -> str:
    if field.default is None or field.default == "":
        return "unset"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def type_rows() -> list[str]:
    """The line of docs/api.md for each service type; `?` marks what may be left out."""
    return [
        f"| `{kind.name}` | {', '.join(_optional(param) for param in kind.params)} | {_quantity(kind)} |"
        for kind in TYPES
    ]


def _optional(param: Param) -> str:
    return f"`{param.name}`{'' if param.required else '?'}"


def _quantity(kind: ServiceType) -> str:
    return {
        QuantityRule.GIVEN: "`quantity`",
        QuantityRule.LINES: f"the number of `{kind.counted}`",
        QuantityRule.FIXED: "fixed",
        QuantityRule.PER_POST: "per post, between `min` and `max`",
    }[kind.quantity]


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that is offered, with its words after `hawker`."""

    def below(group: Any, words: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if command.hidden:
                continue
            if hasattr(command, "commands"):
                yield from below(command, f"{words}{name} ")
            else:
                yield f"{words}{name}", command

    yield from below(typer.main.get_command(app), "")


def heading_of(words: str, command: Any) -> str:
    """The heading that docs/cli.md has for a command: its words and its arguments."""
    arguments = [param.name.upper() for param in command.params if _is_argument(param)]
    return " ".join([f"### hawker {words}", *arguments])


SHARED = ("--operation-id", "--seen", "--filter", "--dry-run")
"""The options of all commands that change something: docs/cli.md has them once."""


def shared_rows() -> list[str]:
    """The line of docs/cli.md for each of the SHARED options."""
    helps = {param.opts[0]: param.help for _, command in commands() if _changes(command) for param in command.params}
    return [f"| `{name}` | {helps[name]} |" for name in SHARED]


def option_rows(command: Any) -> list[str]:
    """The line of docs/cli.md for each option, and for each argument, of a command, but for the SHARED ones."""
    found, shared = [], SHARED if _changes(command) else ()
    for param in command.params:
        if getattr(param, "hidden", False) or param.opts[0] in ("--data-dir", "--help", *shared):
            continue
        name = param.name.upper() if _is_argument(param) else param.opts[0]
        found.append(f"| `{name}` | {param.help} |")
    return found


def _changes(command: Any) -> bool:
    """Whether the command runs an operation."""
    return any(param.opts[0] == "--operation-id" for param in command.params)


def _is_argument(param: Any) -> bool:
    return not param.opts[0].startswith("-")
