"""Pages wrap at 120 columns, link to headings that exist, and every file that is named is in the repository."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import REPOSITORY

COLUMNS = 120
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")])
FOLDERS = ("src", "tests", "bench", "tools", "deploy", "docs", "requirements")
FILES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in [*REPOSITORY.glob("*"), *(path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*"))]
    if path.is_file() and "__pycache__" not in path.parts
)
SOURCES = [name for name in FILES if name.endswith((".py", ".sql", ".md"))] + ["Makefile"]
CASES = [name for name in FILES if name.startswith("tests/wire/cases/") and name.endswith(".txt")]
REFERENCE = re.compile(r"(?<![\w/.:{*-])(?:[\w.-]+/)*[\w-]+\.(?:md|txt|py|sql)\b(?![-\w/(])")
"""A file's name, with or without its folders, but no part of an address, of a pattern or of a call."""


def too_long(text: str) -> list[str]:
    """The lines of a page over 120 columns. Tables, code, a link alone and an unbreakable word may be longer."""
    found, in_code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        is_link = re.fullmatch(r"- \[[^\]]*\]\([^)]*\)", line)
        may_be_long = in_code or is_link or line.startswith("|") or " " not in line.strip()
        if len(line) > COLUMNS and not may_be_long:
            found.append(f"{number}: {line[:60]}…")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_pages_wrap_at_120_columns(path: Path) -> None:
    assert too_long(path.read_text(encoding="utf-8")) == []


def test_a_long_line_is_found_in_prose_only() -> None:
    long = "word " * 30
    assert [line.partition(":")[0] for line in too_long(f"{long}\n| {long} |\n```\n{long}\n```\n{long}")] == ["1", "6"]


def anchors(text: str) -> set[str]:
    """The fragments under which a page's headings can be reached, made as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_to_headings_that_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target, fragment in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", text):
        page = path.parent / target if target else path
        assert fragment in anchors(page.read_text(encoding="utf-8")), f"{path.name} links to {target}#{fragment}"


def prose(name: str) -> Iterator[str]:
    """What people read in a file: the whole of a page, the comments and docstrings of code."""
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    if name.endswith(".py"):
        yield from (
            token.string
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        )
        yield from (
            node.value.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
    elif name.endswith((".sql", ".txt")):
        yield from re.findall(r"^(?:#|\s*--).*", text, re.MULTILINE)
    else:
        yield text


def exists(reference: str, name: str) -> bool:
    """Whether a file is in the repository under the name that `name` calls it by.

    Documents are named from the root, or from the folder of the file that names them; code by the end of its path.
    """
    beside = (Path(name).parent / reference).as_posix()
    if reference.endswith((".md", ".txt")):
        return reference in FILES or (REPOSITORY / beside).is_file()
    return any(f"/{path}".endswith(f"/{reference}") for path in FILES)


def missing_from(name: str) -> list[str]:
    """The files that are not in the repository, of those that this one names."""
    if not REFERENCE.search((REPOSITORY / name).read_text(encoding="utf-8")):
        return []
    named = {reference for text in prose(name) for reference in REFERENCE.findall(text)}
    return [f"{name} names {reference}" for reference in sorted(named) if not exists(reference, name)]


def test_every_file_that_is_named_is_in_the_repository() -> None:
    assert [line for name in SOURCES + CASES for line in missing_from(name)] == []
