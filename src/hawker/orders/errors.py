"""What can go wrong with orders beyond what the wire refuses."""


class NoSuchOrder(Exception):
    """There is no order with this number."""


class IllegalMove(Exception):
    """An order would move between two states that no transition joins: a bug, or tampering."""
