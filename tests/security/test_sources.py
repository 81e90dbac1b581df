"""What the source must not do anywhere: SQL put together from what is not constant, shells, unsafe loaders."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "hawker"
FILES = sorted(path for path in SOURCE.rglob("*.py"))

SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|ALTER|CREATE|DROP|GRANT|REVOKE|SET|TRUNCATE|LOCK|COPY)\s",
)
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")

SINKS = {
    "execute": 0,
    "executemany": 0,
    "ask": 1,
    "RawSQL": 0,
    "raw": 0,
    "extra": 0,
    "RunSQL": 0,
    "stream": 0,
    "copy": 0,
}
"""What sends a statement, and which of its arguments that is."""

ALLOWED = {
    ("host/migration.py", "role"): "a setting of letters, digits and underscores: its pattern says so",
    ("host/migration.py", "append_only"): "names of tables, constants of the same file",
    ("host/migration.py", "never_changed"): "names of tables, constants of the same file",
    ("host/migration.py", "never_deleted"): "names of tables, constants of the same file",
    ("core/restore_mark.py", "sql.SQL('ALTER DATABASE {} ')"): "composed by the driver",
    ("core/restore_mark.py", "sql.Identifier(row[0])"): "quoted by the driver",
    ("core/restore_mark.py", "sql.SQL(what)"): "one of two literals of the same file",
    ("orders/invariants.py", "invariant.breaches"): "one of the list of invariants, each of them a constant",
}
"""Statements with something in them that is no constant: the file, the text, and why that is no way in."""


COMPOSED = {
    "lists/statements.py": "made of declarations, which are constants; tests/lists sees that no value gets into a text",
}
"""Modules whose work is to put statements together, and why that is no way in."""


USED: set[tuple[str, str]] = set()


def parts(node: ast.expr) -> Iterator[ast.expr]:
    """What a text is put together from: the pieces of an f-string, of `+`, of `%` and of `.format`."""
    match node:
        case ast.JoinedStr(values=values):
            for value in values:
                yield from parts(value.value) if isinstance(value, ast.FormattedValue) else (value,)
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
            yield from parts(left)
            yield from parts(right)
        case ast.Call(func=ast.Attribute(value=value, attr="format" | "join"), args=args, keywords=keywords):
            yield from parts(value)
            for argument in (*args, *(keyword.value for keyword in keywords)):
                yield from parts(argument)
        case _:
            yield node


def is_constant(node: ast.expr) -> bool:
    """A literal, or a name that is written as constants are."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return CONSTANT.fullmatch(name) is not None
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return all(is_constant(item) for item in items)
    return False


def looks_like_sql(node: ast.expr) -> bool:
    first = next(parts(node), None)
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and SQL.match(first.value) is not None


def composed(tree: ast.AST) -> Iterator[ast.expr]:
    """Every text that is put together and is SQL, and every text that a sink is given straight away."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.BinOp) and looks_like_sql(node):
            yield node
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and looks_like_sql(node):
                yield node
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            at = SINKS.get(name)
            if at is not None and len(node.args) > at and isinstance(node.args[at], ast.JoinedStr | ast.BinOp):
                yield node.args[at]


def offences(path: Path, text: str) -> list[str]:
    """The statements of a file with something in them that is neither a constant nor allowed."""
    where = path.relative_to(SOURCE).as_posix() if path.is_relative_to(SOURCE) else path.name
    found = []
    for node in composed(ast.parse(text)):
        strange = [ast.unparse(part) for part in parts(node) if not is_constant(part)]
        USED.update((where, name) for name in strange)
        left = [name for name in strange if (where, name) not in ALLOWED]
        if left:
            found.append(f"{where}:{node.lineno}: {', '.join(left)}")
    return found


def test_no_statement_is_put_together_from_what_is_no_constant() -> None:
    assert len(FILES) > 150
    found = {path.relative_to(SOURCE).as_posix(): offences(path, path.read_text(encoding="utf-8")) for path in FILES}
    assert {name: offence for name, offence in found.items() if offence and name not in COMPOSED} == {}
    assert all(found[name] for name in COMPOSED), "what is allowed is there"
    assert set(ALLOWED) <= USED, "what is allowed is there"


@pytest.mark.parametrize(
    "line",
    [
        "cursor.execute(f\"SELECT * FROM orders WHERE link = '{link}'\")",
        "cursor.execute(\"SELECT * FROM orders WHERE link = '%s'\" % link)",
        'cursor.execute("SELECT 1 FROM " + table)',
        'ask(cursor, f"UPDATE orders SET {column} = 1")',
        "ask(cursor, STATEMENT + order)",
        'STATEMENT = "DELETE FROM orders WHERE id IN ({})".format(ids)',
        'query = f"""\n    WITH x AS (SELECT {columns})"""',
        'Model.objects.raw("SELECT * FROM x WHERE y = %s" % y)',
        'cursor.execute(f"{statement} LIMIT 1")',
    ],
)
def test_the_guard_sees_what_it_should(line: str) -> None:
    assert offences(Path("made_up.py"), line)


@pytest.mark.parametrize(
    "line",
    [
        'cursor.execute("SELECT * FROM orders WHERE link = %s", (link,))',
        "ask(cursor, queries.FIND_DUE, (now,))",
        'STATEMENT = f"SELECT {COLUMNS} FROM orders"',
        'log.info(f"set {x} up")',
        "STATEMENT = f\"SELECT {_ENDED.format('a')} FROM attempt a\"",
    ],
)
def test_the_guard_lets_pass_what_it_should(line: str) -> None:
    assert offences(Path("made_up.py"), line) == []


FORBIDDEN = re.compile(
    r"\beval\(|\bexec\(|\bpickle\b|\bmarshal\b|yaml\.load\(|shell=True|os\.system|os\.popen|mark_safe|"
    r"\|\s*safe\b|autoescape off|verify=False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified_context|"
    r"\btempfile\.mktemp\b|\brandom\.(?:choice|randint|getrandbits|randbytes|token)\("
)

KNOWN = {
    "sandbox": "the simulated upstream plays dice by a seed, which must come out the same again",
}


def test_nothing_dangerous_is_called() -> None:
    """No evaluation of text, no shell, no unpickling, no unescaped templates, no TLS without a check."""
    found = []
    for path in [*FILES, *SOURCE.rglob("*.html")]:
        where = path.relative_to(SOURCE).as_posix()
        if where.split("/")[0] in KNOWN:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{where}:{number}: {line.strip()}")
    assert found == []
