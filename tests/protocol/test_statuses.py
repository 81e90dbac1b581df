"""Status words: exact where we write them, forgiving where we read them, never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawker.protocol.statuses import (
    OrderStatus,
    RefillStatus,
    SubscriptionStatus,
    read_order_status,
    read_refill_status,
)


def test_the_words_we_write_are_spelled_as_clients_compare_them() -> None:
    assert list(OrderStatus) == ["Pending", "In progress", "Processing", "Completed", "Partial", "Canceled"]
    assert list(RefillStatus) == ["Pending", "In progress", "Completed", "Rejected"]
    assert list(SubscriptionStatus) == ["Active", "Paused", "Completed", "Expired", "Canceled"]


@pytest.mark.parametrize("status", OrderStatus)
@pytest.mark.parametrize("spelled", [str, str.upper, str.lower, str.title, str.swapcase], ids=lambda f: f.__name__)
@pytest.mark.parametrize("space", [" ", "", "_", "-", "  "])
def test_an_order_status_is_read_in_any_case_and_spacing(status: OrderStatus, spelled: type[str], space: str) -> None:
    assert read_order_status(f" {spelled(status).replace(' ', space)} ") is status


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("In Progress", OrderStatus.IN_PROGRESS),
        ("inprogress", OrderStatus.IN_PROGRESS),
        ("Cancelled", OrderStatus.CANCELED),
        ("Refunded", OrderStatus.CANCELED),
        ("Complete", OrderStatus.COMPLETED),
        ("Partially Completed", OrderStatus.PARTIAL),
        ("In process", OrderStatus.PROCESSING),
    ],
)
def test_the_words_of_panels_in_the_wild_are_read(text: str, status: OrderStatus) -> None:
    assert read_order_status(text) is status


@pytest.mark.parametrize("status", RefillStatus)
def test_a_refill_status_is_read_in_any_case(status: RefillStatus) -> None:
    assert read_refill_status(status.upper().replace(" ", "_")) is status


@pytest.mark.parametrize("text", ["", " ", "Unknown", "Not completed", "null", "success", "1", "Completed Partial"])
def test_a_word_we_do_not_know_is_none(text: str) -> None:
    assert read_order_status(text) is None
    assert read_refill_status(text) is None


@given(st.text())
def test_no_text_makes_the_status_readers_raise(text: str) -> None:
    assert read_order_status(text) in {None, *OrderStatus}
    assert read_refill_status(text) in {None, *RefillStatus}
