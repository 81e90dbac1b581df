"""What can go wrong with the catalogue that a caller can act on."""


class NoSuchService(Exception):
    """There is no service with this number."""


class BadChange(Exception):
    """A service cannot be changed like this; the sentence says why."""


class BadPattern(Exception):
    """This cannot be a pattern of forbidden links."""


class BadPrice(Exception):
    """A name, a percentage or a rate that cannot be one; the sentence says why."""


class GroupExists(Exception):
    """There is a price group of this name already."""


class NoSuchGroup(Exception):
    """There is no price group of this name."""


class GroupInUse(Exception):
    """The price group has customers."""
