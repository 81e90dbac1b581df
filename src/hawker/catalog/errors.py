"""What can go wrong with the catalogue that a caller can act on."""


class NoSuchService(Exception):
    """There is no service with this number."""


class BadChange(Exception):
    """A service cannot be changed like this; the sentence says why."""


class BadPattern(Exception):
    """This cannot be a pattern of forbidden links."""
