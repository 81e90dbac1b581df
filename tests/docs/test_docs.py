"""The documents say what the code does. Where one of these fails, its message is the line to add or to take out."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from pages import (
    REPOSITORY,
    commands,
    heading_of,
    option_rows,
    page,
    rows,
    section,
    setting_rows,
    shared_rows,
    type_rows,
)

from hawker.protocol.errors import TEXTS

PAGES = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/**/*.md")]


def agree(name: str, expected: Iterable[str], found: Iterable[str]) -> None:
    """Fails with the lines that the page lacks, and with those that speak of something that is not there."""
    lacking = [line for line in expected if line not in set(found)]
    left_over = [line for line in found if line not in set(expected)]
    assert not lacking, f"add to {name}:\n" + "\n".join(lacking)
    assert not left_over, f"take out of {name}, or correct:\n" + "\n".join(left_over)


@pytest.mark.quick
def test_every_setting_has_its_line() -> None:
    agree("docs/settings.md", setting_rows(), rows(page("docs/settings.md")))


@pytest.mark.parametrize("words", [words for words, _ in commands()])
def test_every_command_has_its_section(words: str) -> None:
    command = dict(commands())[words]
    heading, text = heading_of(words, command), page("docs/cli.md")
    expected = option_rows(command)
    wanted = "\n".join([heading, *(["| option | meaning |", "|---|---|", *expected] if expected else [])])
    assert f"\n{heading}\n" in text, f"add to docs/cli.md, with an example of what it answers:\n{wanted}"
    agree(f"docs/cli.md, below {heading!r},", expected, rows(section(text, heading)))


def test_options_of_all_changing_commands_have_their_lines() -> None:
    agree("docs/cli.md", shared_rows(), rows(section(page("docs/cli.md"), "## Commands that change something")))


def test_no_section_is_left_of_a_command_that_is_gone() -> None:
    headings = re.findall(r"^### hawker .*$", page("docs/cli.md"), re.MULTILINE)
    agree("docs/cli.md", [heading_of(words, command) for words, command in commands()], headings)


@pytest.mark.quick
def test_every_error_text_is_explained() -> None:
    found = [row.split("`")[1] for row in rows(section(page("docs/api.md"), "## Errors"))]
    agree("docs/api.md, table of errors,", TEXTS.values(), found)


def test_every_service_type_has_its_parameters() -> None:
    found = rows(section(page("docs/api.md"), "## Parameters of `add`, by the service's type"))
    agree("docs/api.md, table of types,", type_rows(), found)


def test_every_action_of_the_front_door_is_described() -> None:
    from hawker.api.endpoint import Endpoint

    found = {row.split("`")[1] for row in rows(section(page("docs/api.md"), "## Actions"))}
    agree("docs/api.md, table of actions,", sorted(Endpoint().actions), sorted(found))


def test_every_dependency_has_its_reason() -> None:
    declared = tomllib.loads(page("pyproject.toml"))["project"]["dependencies"]
    names = [re.split(r"[\[<>=~]", line)[0] for line in declared]
    text = page("ARCHITECTURE.md")
    table = rows(section(text, "## Dependencies: what for, and why this one"))
    agree("ARCHITECTURE.md, table of dependencies,", names, [row.split("`")[1] for row in table])
    assert all(len(row.split("|")[2].strip()) > 20 for row in table)


def test_every_package_is_on_the_map() -> None:
    packages = [path.parent.name for path in (REPOSITORY / "src" / "hawker").glob("*/__init__.py")]
    found = re.findall(r"^([a-z]+)/ ", section(page("ARCHITECTURE.md"), "## The map"), re.MULTILINE)
    agree("ARCHITECTURE.md, the map,", sorted(packages), sorted(found))


def test_every_decision_record_is_listed_and_short() -> None:
    folder = REPOSITORY / "docs" / "adr"
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    titles = [path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for path in records]
    agree(
        "docs/adr/README.md",
        [f"- [{title}]({path.name})" for title, path in zip(titles, records, strict=True)],
        [line for line in page("docs/adr/README.md").splitlines() if line.startswith("- [")],
    )
    assert [int(title.split(".")[0]) for title in titles] == list(range(1, len(records) + 1))
    assert all(len(path.read_text(encoding="utf-8").split()) < 300 for path in records), "a record is one paragraph"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_files_that_pages_name_are_there(path: Path) -> None:
    places = re.findall(
        r"`((?:src|tests|docs|bench|tools|deploy|requirements)/[\w/.-]+)`", path.read_text(encoding="utf-8")
    )
    places += [
        f"src/hawker/{name}"
        for name in re.findall(r"`([a-z]+/[\w/]+\.py)`", path.read_text(encoding="utf-8"))
        if not name.startswith(("src/", "tests/", "bench/", "tools/", "deploy/"))
    ]
    for place in places:
        assert (REPOSITORY / place).exists(), f"{path.name} names {place}"


def test_the_words_of_the_glossary_stand_in_order() -> None:
    words = [row.split("**")[1] for row in rows(page("docs/glossary.md"))]
    assert words == sorted(words, key=str.lower)
    assert len(words) == len(set(words))
