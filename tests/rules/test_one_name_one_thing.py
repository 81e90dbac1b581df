"""A name stands for one thing: no two public classes share one, and no two modules but those of the same kind."""

import ast
from collections import defaultdict
from pathlib import Path

import hawker

ROOT = Path(hawker.__file__).parent

KINDS = {"__init__", "__main__", "actions", "queries", "rules", "models", "errors", "invariants", "apps", "tasks"}
"""What a package's files are called when they hold the same kind of thing, and what frameworks look for."""

ALIKE = ("cli/", "operations/", "worker/", "sandbox/", "lists/")
"""Packages whose modules are named after what they are about elsewhere: `operations/orders.py` is about `orders/`.
The sandbox is another program."""


def sources() -> dict[str, ast.Module]:
    files = [path for path in ROOT.rglob("*.py") if "migrations" not in path.parts]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def test_no_two_public_classes_share_a_name() -> None:
    found = defaultdict(list)
    for name, tree in sources().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(name)
    assert len(found) > 200
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_no_module_name_stands_for_two_things() -> None:
    found = defaultdict(list)
    for name in sources():
        stem = Path(name).stem
        if stem not in KINDS and not name.startswith(ALIKE):
            found[stem].append(name)
    assert {stem: files for stem, files in found.items() if len(files) > 1} == {}


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    import grimp

    graph = grimp.build_graph("hawker", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    while True:
        # What imports nothing that is left is in no circle.
        free = {module for module, imported in imports.items() if not imported & imports.keys()}
        if not free:
            break
        imports = {module: imported for module, imported in imports.items() if module not in free}
    assert sorted(imports) == []
