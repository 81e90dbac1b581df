"""The command line has no rule, no table and no statement of its own: it runs operations and calls verbs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import hawker.cli

CLI = Path(hawker.cli.__file__).parent

STATEMENT = re.compile(
    r"^\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s|CREATE\s|ALTER\s|DROP\s"
    r"|GRANT\s|REVOKE\s|TRUNCATE\s|LOCK\s+TABLE\s)"
)


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, also inside functions and for types alone; a name that is imported out of a
    package counts as a module, since it may be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_forbidden(module: str) -> bool:
    """Whether a module is one of tables, of statements or of the audit log, or the ORM or the driver by itself."""
    parts = module.split(".")
    if module == "hawker.audit" or module.startswith(("hawker.audit.", "django.db.models", "psycopg.sql")):
        return True
    return parts[0] == "hawker" and any(part in {"models", "queries"} or part.endswith("_queries") for part in parts)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(CLI.rglob("*.py")):
        yield file.relative_to(CLI).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def test_no_module_of_the_command_line_imports_tables_statements_or_the_audit_log() -> None:
    found = {name: sorted({module for module in imports(tree) if is_forbidden(module)}) for name, tree in trees()}
    assert len(found) > 10
    wrong = {name: modules for name, modules in found.items() if modules}
    assert not wrong, wrong


def test_no_module_of_the_command_line_has_a_statement() -> None:
    wrong = [
        (name, node.lineno, node.value[:60])
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.match(node.value)
    ]
    assert not wrong, wrong


def test_these_tests_see_what_they_look_for() -> None:
    seen = ast.parse("def f():\n    from hawker.orders import models\n    import hawker.audit.actions\n")
    assert [module for module in imports(seen) if is_forbidden(module)] == [
        "hawker.orders.models",
        "hawker.audit.actions",
    ]
    assert is_forbidden("hawker.lists.orders_queries.READ")
    assert not is_forbidden("hawker.orders.describe_orders")
    assert STATEMENT.match("SELECT 1 FROM orders")
    assert not STATEMENT.match("Select the orders that wait")
