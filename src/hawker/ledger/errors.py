"""What can go wrong with money that a caller can act on."""

from typing import ClassVar

from hawker.core.errors import Refusal


class NotEnoughFunds(Refusal):
    """The balance and credit limit do not cover the charge."""

    code: ClassVar[str] = "not_enough_funds"


class AlreadyCredited(Refusal):
    """This transaction of the gateway has been credited before."""

    code: ClassVar[str] = "already_credited"


class WrongCurrency(Exception):
    """The panel's data is in another currency than its settings say."""


class OverCreditLimit(Exception):
    """The account is overdrawn already by more than the new credit limit."""
