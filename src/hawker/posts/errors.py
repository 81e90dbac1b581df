"""What can go wrong with sources of posts that an operator can act on; each message is a sentence for people."""


class BadTemplate(Exception):
    """The address of a post source cannot be used as given; nothing was saved."""


class NoSuchSource(Exception):
    """No post source of this name is installed."""
