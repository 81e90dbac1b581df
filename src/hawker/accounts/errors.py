"""What can go wrong with people and keys that a caller can act on."""


class CustomerExists(Exception):
    """There is a customer with this e-mail address already."""


class NoSuchCustomer(Exception):
    """There is no customer with this e-mail address."""


class BadEmail(Exception):
    """This is not an e-mail address."""


class BadKey(Exception):
    """The key, or what it was to be limited to, breaks a rule; the sentence says which."""


class KeyInUse(Exception):
    """The key to import has been somebody's before."""


class NoSuchKey(Exception):
    """There is no key with this number."""


class KeyIsOver(Exception):
    """The key has ended, or another one is in its place already."""
