"""What is around every operation: who may, once, the version that was seen, the audit row."""

import threading
from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec
import pytest
from django.db import connection

from hawker.audit.actions import list_audit_events
from hawker.core.actors import Actor
from hawker.ledger.customers import OpenedCustomer
from hawker.operations.base import OPERATIONS
from hawker.operations.errors import BadInput, ChangedSince, NoSuchOperation, NotPermitted, OperationIdReused, Refused
from hawker.operations.running import EVERYTHING, run_operation
from hawker.operations.versions import read_version
from panel import Panel
from people import ANNA, ROOT, STAFF

ID = "5e3a6a0e-6a43-4d0e-a2b4-0d9c8d1f3c11"


@pytest.fixture
def customer(panel: Panel) -> OpenedCustomer:
    return panel.customer()


@pytest.fixture
def order(panel: Panel, customer: OpenedCustomer) -> int:
    """One that waits for staff: 100 at 0.90 a thousand."""
    number: int = panel.place(customer, panel.service())
    return number


def run(panel: Panel, name: str, values: Mapping[str, Any], *, actor: Actor = ANNA, **more: Any) -> Any:
    asked: dict[str, Any] = {"permissions": EVERYTHING} | more
    return run_operation(name, values, actor=actor, now=panel.clock.now(), **asked)


@pytest.mark.quick
def test_an_operation_is_done_and_audited_under_its_own_name(panel: Panel, order: int) -> None:
    answered = run(panel, "order.cancel", {"order": order, "reason": "  asked  "})
    assert (answered.order, answered.cancel) == (order, "canceled")
    (event,) = list_audit_events(action="order.cancel", limit=5)
    assert (event["actor"], event["reason"], event["subject"]) == (
        "staff:anna",
        "asked",
        {"kind": "order", "id": str(order)},
    )


def test_without_the_permission_nothing_is_done(panel: Panel, order: int) -> None:
    with pytest.raises(NotPermitted, match=r"order\.cancel is missing"):
        run(panel, "order.cancel", {"order": order, "reason": "x"}, permissions={"order.release"})
    assert panel.order(order)["state"] == "queued"
    assert not list_audit_events(limit=5, action="order")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"order": 0, "reason": "x"}, "order"),
        ({"order": 2**63, "reason": "x"}, "order"),
        ({"order": "seven", "reason": "x"}, "order"),
        ({"order": 1}, "reason"),
        ({"order": 1, "reason": "   "}, "reason"),
        ({"order": 1, "reason": "x" * 401}, "reason"),
        ({"order": 1, "reason": "a\0b"}, "reason"),
        ({"order": 1, "reason": "a\udcffb"}, "reason"),
        ({"order": "1e0", "reason": "x"}, "order"),
        ({"order": 1, "reason": "x", "refund": True}, "refund"),
    ],
)
def test_a_wrong_field_is_named(panel: Panel, values: Mapping[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        run(panel, "order.cancel", values)
    assert caught.value.field == field


def test_there_is_no_other_operation(panel: Panel) -> None:
    with pytest.raises(NoSuchOperation):
        run(panel, "order.destroy", {})


def test_the_same_id_answers_the_first_result_and_does_nothing(panel: Panel, order: int) -> None:
    first = run(panel, "order.cancel", {"order": order, "reason": "asked"}, operation_id=ID)
    again = run(panel, "order.cancel", {"order": order, "reason": "asked"}, operation_id=ID)
    assert again == first
    assert len(list_audit_events(action="order.cancel", limit=5)) == 1


@pytest.mark.parametrize(
    ("name", "values", "actor"),
    [
        ("order.cancel", {"reason": "another"}, ANNA),
        ("order.complete", {"reason": "asked"}, ANNA),
        ("order.cancel", {"reason": "asked"}, STAFF),
    ],
    ids=["another input", "another operation", "another actor"],
)
def test_an_id_is_for_one_thing(panel: Panel, order: int, name: str, values: dict[str, Any], actor: Actor) -> None:
    run(panel, "order.cancel", {"order": order, "reason": "asked"}, operation_id=ID)
    with pytest.raises(OperationIdReused):
        run(panel, name, {"order": order, **values}, actor=actor, operation_id=ID)


def test_what_was_refused_leaves_its_id_free(panel: Panel, order: int) -> None:
    run(panel, "order.cancel", {"order": order, "reason": "asked"})
    for _ in range(2):
        with pytest.raises(Refused, match="has ended already"):
            run(panel, "order.complete", {"order": order}, operation_id=ID)


def test_two_clicks_at_once_are_one(panel: Panel, order: int) -> None:
    results: list[Any] = []
    ready = threading.Barrier(4)

    def click() -> None:
        ready.wait()
        try:
            results.append(run(panel, "order.cancel", {"order": order, "reason": "asked"}, operation_id=ID))
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert len(results) == 4
    assert len({repr(result) for result in results}) == 1
    assert len(list_audit_events(action="order.cancel", limit=5)) == 1


def test_an_edit_of_what_somebody_changed_since_is_refused_and_says_what(panel: Panel, order: int) -> None:
    seen = read_version("order", order)
    run(panel, "order.start", {"order": order}, actor=STAFF, seen=seen)
    with pytest.raises(ChangedSince) as caught:
        run(panel, "order.complete", {"order": order}, seen=seen)
    assert f"the order {order} was changed meanwhile: " in str(caught.value)
    assert "queued → in_progress" in str(caught.value)
    assert "by staff:ben" in str(caught.value)
    assert panel.order(order)["state"] == "in_progress"
    assert run(panel, "order.complete", {"order": order}, seen=read_version("order", order)).state == "completed"


def test_every_operation_is_described(panel: Panel) -> None:
    assert OPERATIONS
    for name, each in OPERATIONS.items():
        assert each.help.endswith("."), name
        assert each.name == name
        assert name.split(".")[0] in (each.subject, "price", "route", "link"), name


def test_every_field_of_every_input_has_a_type_that_can_be_read(panel: Panel) -> None:
    for name, each in OPERATIONS.items():
        for field, hint in get_type_hints(each.input, include_extras=True).items():
            # A limit that stands at `int | None` and not at its `int` fails only when a value is read.
            assert msgspec.json.schema(hint), f"{name}: {field}"


def test_the_command_line_repeats_under_an_id(panel: Panel, order: int) -> None:
    from one_process import Call, run_commands

    words = ["order", "cancel", str(order), "--reason", "asked", "--operation-id", ID]
    other_id = ["order", "complete", str(order), "--operation-id", "another-id-of-mine"]
    first, again, other = run_commands([Call(words), Call(words), Call(other_id)])
    assert (first.code, again.code, other.code) == (0, 0, 1)
    assert first.answer == again.answer == {"order": order, "cancel": "canceled"}
    assert "has ended already" in other.stderr
    assert ROOT.name
