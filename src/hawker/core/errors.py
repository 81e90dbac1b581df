"""The ways in which any verb can fail that a caller can act on."""

from typing import ClassVar


class Refusal(Exception):
    """The request breaks a rule: nothing was written, and repeating it unchanged is pointless.

    Each subclass is one outcome; `code` finds its wire text in protocol/errors.py, and
    `values` fill the numbers of that text.
    """

    code: ClassVar[str] = "incorrect_request"

    def __init__(self, **values: object) -> None:
        super().__init__(self.code, values)
        self.values = values


class Unavailable(Exception):
    """The database cannot be asked now. Nothing is known to be written; ask again later."""


class OutcomeUnknown(Unavailable):
    """The COMMIT got no answer: what was asked for may have been done. Look before asking for it again."""


class NotSetUp(Exception):
    """Something must be set up before this can be done; the message is one sentence that says what."""
