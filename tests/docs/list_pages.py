"""What docs/lists.md says of a list, made of its declaration."""

from hawker.lists.declaration import Filter, ListDeclaration

WIDTH = 118


def list_section(declaration: ListDeclaration) -> str:
    """The section of a list: its sort keys, columns and filters."""
    lines = [
        f"## {declaration.name}",
        "",
        *_wrapped("Sort keys", [_sort_text(declaration, place) for place in range(len(declaration.sorts))]),
        "",
        *_wrapped("Columns", [f"`{column.name}`" for column in declaration.columns]),
        "",
        "| filter | type | meaning |",
        "|---|---|---|",
        *(f"| `{each.name}` | {_type_text(each)} | {each.help} |" for each in declaration.filters),
        "",
    ]
    return "\n".join(lines)


def _sort_text(declaration: ListDeclaration, place: int) -> str:
    sort = declaration.sorts[place]
    return f"`{sort.name}` ({sort.label.lower()}, {'down' if sort.descending else 'up'})"


def _type_text(filter_: Filter) -> str:
    choices = f": {', '.join(f'`{choice}`' for choice in filter_.choices)}" if filter_.choices else ""
    return f"{filter_.type.value}{choices}"


def _wrapped(title: str, parts: list[str]) -> list[str]:
    lines = [f"{title}:"]
    for place, part in enumerate(parts):
        text = part + ("." if place == len(parts) - 1 else ",")
        if len(lines[-1]) + len(text) >= WIDTH:
            lines.append(text)
        else:
            lines[-1] += f" {text}"
    return lines
