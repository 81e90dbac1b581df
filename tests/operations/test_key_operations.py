"""Keys as staff have them: a new key is shown once for each operation id, and to nobody else."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection

from hawker.accounts.models import ApiKey, User
from hawker.audit.actions import list_audit_events
from hawker.operations.errors import BadInput, ChangedSince, OperationIdReused
from hawker.operations.running import EVERYTHING, run_operation
from hawker.operations.versions import read_version
from panel import Panel
from people import ANNA, STAFF

ID = "0e5df0b0-7d6e-4a53-a1b6-97d02b7a6f10"
LEGACY = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def email(panel: Panel) -> str:
    return User.objects.get(id=panel.customer().user_id).email


def run(panel: Panel, name: str, values: Mapping[str, Any], **more: Any) -> Any:
    return run_operation(name, values, **{"actor": ANNA, "permissions": EVERYTHING, "now": panel.clock.now(), **more})


def in_the_database() -> str:
    """Whatever the operations and the audit log have written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(encode(result, 'escape') || run::text, '') FROM operation_run run")
        (runs,) = cursor.fetchone()
        cursor.execute("SELECT string_agg(audit_event::text, '') FROM audit_event")
        return runs + cursor.fetchone()[0]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["key.add", "key.rotate"])
def test_a_second_click_answers_the_same_key_and_none_is_written_in_clear(panel: Panel, email: str, name: str) -> None:
    key = ApiKey.objects.get().id
    values = {"email": email, "expires": "90d"} if name == "key.add" else {"key": key}
    first = run(panel, name, values, operation_id=ID)
    panel.clock.advance(minutes=5)
    assert run(panel, name, values, operation_id=ID) == first
    assert ApiKey.objects.count() == 2
    assert first.api_key not in in_the_database()
    with pytest.raises(OperationIdReused):
        run(panel, name, values, operation_id=ID, actor=STAFF)


def test_an_imported_key_is_not_written_in_clear(panel: Panel, email: str) -> None:
    answered = run(panel, "key.import", {"email": email, "key": LEGACY, "label": "shop"}, operation_id=ID)
    assert run(panel, "key.import", {"email": email, "key": LEGACY, "label": "shop"}, operation_id=ID) == answered
    assert LEGACY not in in_the_database()
    assert [event["action"] for event in list_audit_events(action="key", limit=5)] == ["key.import"]


def test_a_key_that_somebody_changed_since_is_not_rotated(panel: Panel, email: str) -> None:
    key = run(panel, "key.add", {"email": email}).key
    seen = read_version("key", key)
    run(panel, "key.revoke", {"key": key}, actor=STAFF)
    with pytest.raises(ChangedSince, match=r"state active → revoked.* by staff:ben"):
        run(panel, "key.rotate", {"key": key}, seen=seen)


@pytest.mark.parametrize(
    ("name", "values", "field"),
    [
        ("key.add", {"label": "l" * 81}, "label"),
        ("key.add", {"scope": "all"}, "scope"),
        ("key.add", {"addresses": ["192.0.2.7/24"]}, "addresses"),
        ("key.add", {"addresses": [7]}, "addresses"),
        ("key.add", {"expires": ""}, "expires"),
        ("key.import", {"key": "short"}, "key"),
        ("key.import", {}, "key"),
        ("key.rotate", {"key": 0}, "key"),
        ("key.rotate", {"key": 2**63}, "key"),
        ("key.rotate", {"key": 1, "overlap": "a while"}, "overlap"),
    ],
)
def test_a_wrong_field_of_a_key_is_named(
    panel: Panel, email: str, name: str, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        run(panel, name, values if name == "key.rotate" else {"email": email, **values})
    assert caught.value.field == field
    assert ApiKey.objects.count() == 1


def test_a_new_key_has_no_version_that_could_have_been_seen(panel: Panel, email: str) -> None:
    with pytest.raises(BadInput, match="nothing that could be seen"):
        run(panel, "key.add", {"email": email}, seen=0)
    assert ApiKey.objects.count() == 1
