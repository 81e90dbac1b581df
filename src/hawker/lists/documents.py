"""Rows with everything that belongs to them, as the command line and the admin API show them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hawker.lists.declaration import Column
from hawker.lists.reading import Row
from hawker.lists.rendering import json_of


def documents_of(name: str, columns: Sequence[Column], rows: Sequence[Row]) -> Sequence[Mapping[str, Any]]:
    """For each row its document: of orders, refills and services all there is about them, else the row's columns.

    One statement per table, whatever the number of rows.
    """
    describe = _DESCRIBE.get(name)
    if describe is None:
        return [json_of(columns, row) for row in rows]
    found = describe([row.key for row in rows])
    return [found[row.key] for row in rows if row.key in found]


def _orders(keys: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    from hawker.orders import describe_orders

    return {document["order"]: document for document in describe_orders(keys)}


def _refills(keys: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    from hawker.orders import describe_refills

    return {document["refill"]: document for document in describe_refills(keys)}


def _services(keys: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    from hawker.catalog.actions import describe_services

    return {document["service"]: document for document in describe_services(keys)}


_DESCRIBE: Mapping[str, Callable[[Sequence[int]], Mapping[int, Mapping[str, Any]]]] = {
    "orders": _orders,
    "refills": _refills,
    "services": _services,
}
