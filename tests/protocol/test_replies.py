"""Replies as bytes: compact JSON, the seed's keys and types, texts of others encoded as such."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.core.errors import Refusal
from hawker.protocol import errors
from hawker.protocol.errors import TEXTS, text_of
from hawker.protocol.replies import (
    OfferedService,
    balance_reply,
    error_reply,
    order_reply,
    plain_error_reply,
    services_reply,
    status_object,
    statuses_reply,
)

FOLLOWERS = OfferedService(1, "Followers", "Default", "First Category", "0.90", 50, 10_000, True, True, False)

CONTRACT = {
    errors.InvalidKey(): "Invalid API key",
    errors.IncorrectRequest(): "Incorrect request",
    errors.IncorrectService(): "Incorrect service ID",
    errors.IncorrectOrder(): "Incorrect order ID",
    errors.RefillNotFound(): "Refill not found",
    errors.QuantityBelow(minimum=50): "Quantity less than minimal 50",
    errors.QuantityAbove(maximum=10_000): "Quantity more than maximum 10000",
    errors.IncorrectQuantity(): "Incorrect quantity",
    errors.IncorrectLink(): "Incorrect link",
    errors.IncorrectParameter(name="runs"): "Incorrect runs",
    errors.TooManyIds(): "No more than 100 IDs are allowed",
}


@pytest.mark.parametrize(("refusal", "text"), CONTRACT.items(), ids=str)
def test_a_refusal_has_the_wording_of_the_contract(refusal: Refusal, text: str) -> None:
    assert text_of(refusal) == text
    assert error_reply(refusal) == json.dumps({"error": text}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "text",
    [
        "Not enough funds on balance",
        "You have active order with this link. Please wait until order being completed.",
        "Refill is disabled for this service",
        "The order was completed or refill was requested less than 24 hours ago",
        "Refill days are over",
        "The refill task is not completed for this order",
        "The order is not completed",
        "Cancel is disabled for this service",
        "The order is already completed",
        "Too many requests",
    ],
)
def test_the_other_texts_of_the_contract_are_in_the_table(text: str) -> None:
    assert text in TEXTS.values()


RETRIED = ("active order", "balance", "too many requests", "temporarily", "timeout")


@pytest.mark.parametrize(("code", "text"), TEXTS.items())
def test_retry_classifiers_read_every_text_as_it_is_meant(code: str, text: str) -> None:
    worth_another_try = code in ("active_order", "not_enough_funds", "too_many_requests", "unavailable")
    assert any(word in text.lower() for word in RETRIED) == worth_another_try


def test_an_error_without_numbers_is_ready_by_its_code() -> None:
    assert plain_error_reply("unavailable") == b'{"error":"Service temporarily unavailable, please try again later"}'


def test_money_and_numbers_are_as_the_seed_writes_them() -> None:
    assert order_reply(23501) == b'{"order":23501}'
    assert balance_reply(100_842_920, "USD") == b'{"balance":"100.84292","currency":"USD"}'
    status = status_object(charge_micros=278_190, start_count=3572, status="Partial", remains=157, currency="USD")
    assert status == '{"charge":"0.27819","start_count":"3572","status":"Partial","remains":"157","currency":"USD"}'


def test_a_start_count_that_is_not_known_is_zero() -> None:
    status = status_object(charge_micros=0, start_count=None, status="Pending", remains=1, currency="USD")
    assert status == '{"charge":"0.00","start_count":"0","status":"Pending","remains":"1","currency":"USD"}'


def test_a_service_has_the_seeds_keys_in_their_order() -> None:
    assert services_reply([FOLLOWERS]) == (
        b'[{"service":1,"name":"Followers","type":"Default","category":"First Category","rate":"0.90","min":"50",'
        b'"max":"10000","refill":true,"cancel":true,"dripfeed":false}]'
    )
    assert services_reply([]) == b"[]"


@given(st.lists(st.text(), unique=True, max_size=5))
def test_ids_of_any_text_come_back_as_asked_and_are_valid_json(ids: list[str]) -> None:
    answer = json.loads(statuses_reply(ids, dict.fromkeys(ids[:2], '{"status":"Pending"}')))
    assert list(answer) == ids
    assert [*answer.values()] == [{"status": "Pending"}] * len(ids[:2]) + [{"error": "Incorrect order ID"}] * len(
        ids[2:]
    )


@given(st.text(), st.text())
def test_names_of_any_text_are_valid_json(name: str, category: str) -> None:
    service = OfferedService(1, name, "Default", category, "1", 1, 1, True, True, False)
    assert json.loads(services_reply([service]))[0]["name"] == name
