"""The figures that documents show are those of the committed results."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from bench.documents import FILES, figures, replaced, shown, tables
from bench.figures import Row
from bench.report import read_before

ROWS = [row for path in FILES for row in read_before(path).get("rows", ())]


@pytest.mark.parametrize("path", tables(), ids=lambda path: path.name)
def test_a_document_shows_what_was_measured(path: Path) -> None:
    found = shown(path.read_text(encoding="utf-8"))
    assert found == tables()[path], "run `python -m bench.documents`"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['work']} {row['against']}")
def test_what_is_called_met_is(row: dict[str, Any]) -> None:
    known = {field.name for field in fields(Row)}
    assert Row(**{name: value for name, value in row.items() if name in known}).met == row["met"]


def test_another_figure_is_seen() -> None:
    before = figures({"results.json": read_before()})
    text = replaced("a\n<!-- written by python -m bench.documents --><!-- end -->\nb", before)
    assert shown(text) == before
    assert text.startswith("a\n")
    assert text.endswith("\nb")
    results = read_before()
    results["rows"][0]["hawker"] = "1/s"
    assert figures({"results.json": results}) != before
