"""What can be wrong with a question to a list. Each message is one sentence for the person who asks."""


class BadList(Exception):
    """Any of those below: nothing was read."""


class NoSuchList(BadList):
    """There is no list of this name, or not for whoever asks."""


class BadFilter(BadList):
    """A filter that the list does not have, or a value that it cannot have."""


class BadSort(BadList):
    """A sort key that the list does not have."""


class BadCursor(BadList):
    """A position that this panel did not give, or gave for another list or order."""
