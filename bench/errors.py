"""What keeps a measurement from being made."""


class CannotBench(Exception):
    """Something is missing on this machine; the sentence says what to do. Ends the run with exit code 2."""


class RunFailed(Exception):
    """A program of the run did not do its part; its own last words are in the sentence."""
