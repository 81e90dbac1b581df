"""Why a panel cannot be hosted here: each message is one sentence for the person who started it."""


class CannotHost(Exception):
    """Something outside of Hawker must change first. Nothing half made was left behind."""


class FolderBusy(CannotHost):
    """Another `hawker up` owns the data folder."""


class FolderUnusable(CannotHost):
    """The data folder cannot be made, read, written or shared with the database's account."""


class NeverStarted(CannotHost):
    """The data folder holds no database yet, and the command is not one that makes it."""


class DatabaseUnusable(CannotHost):
    """No fitting PostgreSQL was found, or it refuses to start on this cluster."""


class PortUnusable(CannotHost):
    """The address asked for cannot be listened on."""


class ChildKeepsFailing(CannotHost):
    """A part of the panel ended again and again before the panel was ready for the first time."""
