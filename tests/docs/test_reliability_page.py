"""docs/reliability.md: every promise has tests that exist; `make soak` runs such tests, and fails where it must."""

import importlib.util
import re
import sys
from types import ModuleType

import pytest
from pages import REPOSITORY, TEST, names_in, page, rows, section

from hawker.orders.invariants import EVERY_INVARIANT

TEXT = page("docs/reliability.md")
MEANINGS = {invariant.name: invariant.meaning for invariant in EVERY_INVARIANT}
PROMISES = re.findall(r"^## \d\. .*$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    """tools/soak.py, which is a program and no part of a package."""
    spec = importlib.util.spec_from_file_location("soak", REPOSITORY / "tools" / "soak.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module
    spec.loader.exec_module(module)
    return module


def test_there_are_five_promises() -> None:
    assert len(PROMISES) == 5


@pytest.mark.parametrize("promise", PROMISES)
def test_every_row_of_a_promise_names_tests_that_exist(promise: str) -> None:
    found = rows(section(TEXT, promise))
    assert len(found) >= 4
    for row in found:
        proofs = TEST.findall(row)
        assert proofs, row
        assert [f"{path}::{name}" for path, name in proofs if name not in names_in(path)] == []


def test_every_invariant_has_its_row() -> None:
    table = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows(section(TEXT, "## Invariants"))]
    shown = {name: sentence for name, sentence, *_ in table}
    assert {name: shown.get(name) for name in MEANINGS} == MEANINGS
    assert set(shown) - set(MEANINGS) == {"I15"}, "only I15 is checked apart, because it needs the provider's answer"
    names = [name for name, *_ in table]
    assert [f"I{number}" for number in range(1, 16)] == names[:15]


def test_every_invariant_names_its_guards_its_code_and_its_test() -> None:
    schema = "\n".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "src" / "hawker").glob("*/migrations/*.*")
    )
    for name, _, refused, checked, test in (
        row.strip("|").split(" | ") for row in rows(section(TEXT, "## Invariants"))
    ):
        guards = [guard for guard in re.findall(r"`(\w+)`", refused) if guard != "hawker_app"]
        assert guards or refused == "found only", name
        assert [guard for guard in guards if not re.search(rf"\b{guard}\b", schema)] == [], name
        code = (REPOSITORY / "src" / "hawker" / checked.strip("` ")).read_text(encoding="utf-8")
        assert re.search(rf"\b{name.strip()}\b", code), f"{checked} does not speak of {name}"
        ((path, function),) = TEST.findall(test)
        assert function in names_in(path), test


def test_every_form_of_the_soak_is_described_and_runs_tests_that_exist(soak: ModuleType) -> None:
    described = [row.split("|")[1].strip() for row in rows(TEXT.partition(soak.END)[2])]
    assert described[: len(soak.FORMS)] == [form.name for form in soak.FORMS]
    for form in soak.FORMS:
        assert set(form.promises) <= set(soak.KEPT_AT_ZERO)
        for test in form.tests:
            path, _, name = test.partition("::")
            assert name in names_in(path), test


def test_a_figure_that_breaks_a_promise_fails_the_run(soak: ModuleType) -> None:
    form = soak.FORMS[0]
    kept = dict.fromkeys(form.promises, 0)
    assert soak.judge(form, 0, kept) == ""
    assert soak.judge(form, 0, kept | {"lost": 1}) == "broken: lost 1"
    assert soak.judge(form, 1, kept) == "pytest ended with 1"
    assert soak.judge(form, 0, {}).startswith("nothing was counted of: ")


def test_notes_of_a_form_are_added_up(soak: ModuleType) -> None:
    notes = [
        '{"form": "a", "figures": {"kills": 2, "lost": 0}}',
        '{"form": "b", "figures": {"kills": 5}}',
        '{"form": "a", "figures": {"kills": 1}}',
    ]
    assert soak.add_up(notes, "a") == {"kills": 3, "lost": 0}


def test_the_figures_come_between_the_marks_and_change_nothing_else(soak: ModuleType) -> None:
    ran = [
        soak.Ran("bank", True, 12.3, {"reads": 1_234, "deviations": 0}),
        soak.Ran("x", False, 1.0, {}, "broken: lost 1"),
    ]
    facts = dict.fromkeys(("date", "command", "commit", "machine", "load_at_the_end", "minutes"), "?")
    text = soak.put_between_marks(TEXT, soak.table(facts, ran))
    assert "| bank | yes | 12 | reads 1,234, deviations 0 |" in text
    assert "| x | broken: lost 1 | 1 |" in text
    assert text.partition(soak.BEGIN)[0] == TEXT.partition(soak.BEGIN)[0]
    assert text.partition(soak.END)[2] == TEXT.partition(soak.END)[2]


def test_make_offers_it() -> None:
    assert 'echo "make soak' in page("Makefile")
    assert "tools/soak.py" in section(page("Makefile").replace("soak: setup", "## soak"), "## soak")
