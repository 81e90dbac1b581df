"""What can go wrong with people and keys that a caller can act on."""


class CustomerExists(Exception):
    """There is a customer with this e-mail address already."""


class NoSuchCustomer(Exception):
    """There is no customer with this e-mail address."""


class BadEmail(Exception):
    """This is not an e-mail address."""
