"""Keep functions within 70 lines and modules within 500: what is longer is two things.

An exception is a comment on the first line of the function or module, with its reason:
    def long_one():  # size: a table of cases, read from top to bottom
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FUNCTION_LINES = 70
MAX_MODULE_LINES = 500
EXCEPTION = "# size: "
SKIPPED = ("migrations",)


def breaches(path: Path) -> Iterator[str]:
    """A line for everything in this file that is too long."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if len(lines) > MAX_MODULE_LINES and not (lines and EXCEPTION in lines[0]):
        yield f"{path}: {len(lines)} lines, {MAX_MODULE_LINES} are allowed"
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > MAX_FUNCTION_LINES and EXCEPTION not in lines[node.lineno - 1]:
            yield f"{path}:{node.lineno}: {node.name} has {length} lines, {MAX_FUNCTION_LINES} are allowed"


def main() -> int:
    """Look at every Python file below the folders given. Exit code 1 where something is too long."""
    files = [path for folder in sys.argv[1:] for path in sorted(Path(folder).rglob("*.py"))]
    found = [line for path in files if not set(SKIPPED) & set(path.parts) for line in breaches(path)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
