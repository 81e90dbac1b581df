"""Why a backup cannot be made or brought back: each message is one sentence for the person who asked."""


class CannotBackUp(Exception):
    """No backup was made, and nothing is left under its name."""


class CannotRestore(Exception):
    """Nothing was brought back. The message says whether anything was changed, and what to do."""
