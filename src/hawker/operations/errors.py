"""Why an operation was not done. Nothing was written where one of these is raised."""


class OperationError(Exception):
    """The operation was not done; the message is a sentence for the person who asked for it."""


class BadInput(OperationError):
    """A field of the input is missing or breaks a limit. `field` is its name in the input."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class NotPermitted(OperationError):
    """The actor has no permission for this operation."""


class Refused(OperationError):
    """The input is well formed, but the subject does not allow this now, or does not exist."""


class ChangedSince(OperationError):
    """Somebody changed the subject after the version that the actor saw. The message says what and who."""


class OperationIdReused(OperationError):
    """The operation id was used before, by another actor or for another input."""


class NoSuchOperation(OperationError):
    """There is no operation of this name."""


class NoSuchJob(OperationError):
    """There is no job of this number."""
