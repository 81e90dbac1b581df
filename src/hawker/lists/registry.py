"""Every list by its name."""

from collections.abc import Mapping

from hawker.lists import catalog_queries, customers_queries, orders_queries, staff_queries, upstream_queries
from hawker.lists.declaration import ListDeclaration
from hawker.lists.errors import NoSuchList

LISTS: Mapping[str, ListDeclaration] = {
    declaration.name: declaration
    for declaration in (
        *orders_queries.LISTS,
        *upstream_queries.LISTS,
        *catalog_queries.LISTS,
        *customers_queries.LISTS,
        *staff_queries.LISTS,
    )
}


def find_list(name: str) -> ListDeclaration:
    """The list of this name. Raises NoSuchList."""
    found = LISTS.get(name)
    if found is None:
        raise NoSuchList(f"there is no list {name!r}; there are: {', '.join(LISTS)}")
    return found
