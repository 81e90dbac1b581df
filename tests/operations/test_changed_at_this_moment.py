"""What changes while a provider is asked, and between two changes of one subject."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.db import connection

from hawker.accounts.models import User
from hawker.audit.actions import AuditRecord, list_audit_events, record_audit
from hawker.catalog.models import Service
from hawker.core.errors import Unavailable
from hawker.core.sql import connect_apart, in_transaction
from hawker.operations.errors import ChangedSince, Refused
from hawker.operations.running import EVERYTHING, run_operation
from hawker.orders.models import WorkKind
from hawker.providers.models import Provider
from panel import Panel
from people import ANNA, STAFF
from scripted_upstream import ScriptedUpstream, start_scripted_upstream


def run(panel: Panel, name: str, values: Mapping[str, Any], **more: Any) -> Any:
    asked: dict[str, Any] = {"actor": ANNA, "permissions": EVERYTHING} | more
    return run_operation(name, values, now=panel.clock.now(), **asked)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with start_scripted_upstream() as started:
        yield started


def answer_after(upstream: ScriptedUpstream, action: str, answer: object, meanwhile: Callable[[], None]) -> None:
    """Have the upstream answer this to an action, and `meanwhile` be done before it does."""
    once = threading.Event()

    def answered(form: dict[str, list[str]]) -> object:
        if form["action"] == ["add"]:
            return {"order": 1, "error": "both"}
        if form["action"] == [action] and not once.is_set():
            once.set()
            try:
                meanwhile()
            finally:
                connection.close()
        return answer

    upstream.answer = answered  # type: ignore[method-assign]


def move_elsewhere() -> None:
    Provider.objects.update(url="https://other.example/api/v2")


def test_a_key_is_not_saved_beside_another_address_than_it_was_tried_at(
    panel: Panel, upstream: ScriptedUpstream
) -> None:
    upstream.register(panel)
    answer_after(upstream, "balance", {"balance": "1.00", "currency": "USD"}, move_elsewhere)
    before = bytes(Provider.objects.get().key_cipher)
    with pytest.raises(Refused, match="the address of upstream was changed at this moment"):
        run(panel, "provider.set", {"provider": "upstream", "key": "a new key"})
    assert bytes(Provider.objects.get().key_cipher) == before
    assert not list_audit_events(action="provider", limit=5)


def test_a_catalogue_is_not_taken_for_that_of_another_address(panel: Panel, upstream: ScriptedUpstream) -> None:
    upstream.register(panel)
    row = {"service": 1, "name": "Likes", "type": "Default", "category": "A", "rate": "1", "min": 1, "max": 9}
    answer_after(upstream, "services", [row], move_elsewhere)
    with pytest.raises(Refused, match="nothing was imported"):
        run(panel, "provider.import", {"provider": "upstream"})
    assert not Service.objects.exists()


def test_a_decision_is_not_taken_for_another_attempt_than_the_provider_was_asked_about(
    panel: Panel, upstream: ScriptedUpstream
) -> None:
    provider = upstream.register(panel)

    def decide_and_send_again() -> None:
        run(panel, "order.resolve", {"order": order, "decision": "resend", "reason": "x"}, actor=STAFF)
        panel.clock.advance(seconds=60)
        panel.sweep(WorkKind.DISPATCH)

    status = {"status": "In progress", "remains": "100", "charge": "0.01", "currency": "USD", "start_count": "0"}
    answer_after(upstream, "status", status, decide_and_send_again)
    order = panel.place(panel.customer(), panel.service(provider=provider))
    panel.clock.advance(seconds=6)
    panel.sweep(WorkKind.DISPATCH)
    assert panel.order(order)["state"] == "unknown"
    with pytest.raises(Refused, match="was decided at this moment"):
        run(panel, "order.resolve", {"order": order, "decision": "bind", "upstream_order": 77, "reason": "seen"})
    assert (panel.order(order)["state"], panel.order(order)["upstream_order"]) == ("unknown", None)


def test_an_operation_waits_for_another_change_of_its_subject(panel: Panel) -> None:
    """Also where neither compares a version: what one has seen must not be changed before it is committed."""
    email = User.objects.get(id=panel.customer().user_id).email
    with connect_apart() as other, connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
        try:
            with other.transaction():
                other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1635083369))", (f"customer {email}",))
                with pytest.raises(Unavailable):
                    run(panel, "customer.credit", {"email": email, "amount": "1", "reason": "x"})
        finally:
            cursor.execute("RESET lock_timeout")
    assert run(panel, "customer.credit", {"email": email, "amount": "1", "reason": "x"}).balance == "101.00"


def test_the_secrets_are_not_rotated_by_whoever_did_not_see_the_last_rotation(panel: Panel) -> None:
    event = AuditRecord(STAFF, "secrets.rotate", "secrets", "encryption_key", None, {"providers": 0})
    in_transaction(lambda cursor: record_audit(cursor, [event], now=panel.clock.now()))
    with pytest.raises(ChangedSince):
        run(panel, "secrets.rotate", {}, seen=0)
