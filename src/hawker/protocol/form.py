"""The parameters of a call to another panel, under the names of the same table that reads them."""

from collections.abc import Mapping

from hawker.protocol.service_types import QuantityRule, find_type


def add_form(
    *, upstream_service: int, type_name: str, link: str, quantity: int, extra: Mapping[str, str] | None
) -> dict[str, str]:
    """The fields of an `add` upstream, without `key`: exactly those that the type's table names.

    `extra` holds wire texts by wire name, as orders store them.
    """
    service_type = find_type(type_name)
    assert service_type is not None, f"an order of the unknown type {type_name}"
    fields = {"action": "add", "service": str(upstream_service)}
    if any(param.name == "link" for param in service_type.params):
        fields["link"] = link
    if service_type.quantity is QuantityRule.GIVEN:
        fields["quantity"] = str(quantity)
    return fields | dict(extra or {})
