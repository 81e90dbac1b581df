"""What can go wrong with orders beyond what the wire refuses."""


class NoSuchOrder(Exception):
    """There is no order with this number."""


class NotForStaff(Exception):
    """Staff cannot do this to the order or refill as it is; the sentence says why. Nothing was written."""


class NoSuchRefill(Exception):
    """There is no refill with this number."""


class IllegalTransition(Exception):
    """An order would move between two states that no transition joins: a bug, or tampering."""


class CannotResolve(Exception):
    """A decision of staff about an unknown order that does not fit it; nothing was written."""


class NotHeld(Exception):
    """There is no such order, or it is not held."""
