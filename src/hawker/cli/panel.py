"""The panel that a command works on: its data folder, its database, Django set up over it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import pydantic
import typer

from hawker.cli.output import fail, sentences
from hawker.core.database import DatabaseAccess
from hawker.core.errors import NotSetUp, OutcomeUnknown, Unavailable
from hawker.core.failpoints import arm_from_environment
from hawker.core.settings import Settings, UnreadableSettings, settings


def _choose(path: Path | None) -> Path | None:
    if path is not None:
        # Through the environment, so that the processes this one starts work on the same panel.
        os.environ["HAWKER_DATA_DIR"] = str(path.expanduser().absolute())
    return path


DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of the panel (default: HAWKER_DATA_DIR, or ./hawker-data).",
        callback=_choose,
        is_eager=True,
        show_default=False,
    ),
]


def read_settings() -> Settings:
    """The panel's settings, or the end of the command with a sentence."""
    try:
        return settings()
    except UnreadableSettings as error:
        fail(str(error))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        fail(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}")


@contextmanager
def panel(*, access: DatabaseAccess = DatabaseAccess.APP, create: bool = False) -> Iterator[None]:
    """Have the panel's database serve and Django know it. Ends the command with a sentence where it cannot.

    Django, models and verbs may be imported inside only: their settings are read at import.
    """
    from hawker.host.errors import CannotHost
    from hawker.host.panel_database import database

    chosen = read_settings()
    with sentences(CannotHost), database(chosen.folder, chosen, create=create):
        # The first command of a new panel has just made its secrets.
        settings.cache_clear()
        set_up(access)
        with _database_sentences():
            # The owner's commands look for themselves, behind the migrations that they bring.
            if access is DatabaseAccess.APP:
                _refuse_other_currency()
            yield


def _refuse_other_currency() -> None:
    """End the command where its settings say another currency than the balances have."""
    from hawker.ledger.actions import check_currency
    from hawker.ledger.errors import WrongCurrency

    with sentences(WrongCurrency):
        check_currency()


@contextmanager
def _database_sentences() -> Iterator[None]:
    """Say what is wrong with the database or the set-up; whatever is a bug surfaces as one."""
    import django.db
    import psycopg

    try:
        yield
    except NotSetUp as error:
        fail(str(error))
    except OutcomeUnknown:
        fail("the database ended at its COMMIT, so nobody knows whether it was done: look before you repeat it")
    except (Unavailable, django.db.Error, psycopg.Error) as error:
        cause = error.__cause__ if isinstance(error, django.db.Error) else error
        if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
            fail("the database is not that of this version: run `hawker migrate`")
        if not isinstance(error, Unavailable | django.db.OperationalError | django.db.InterfaceError):
            raise
        first, *_ = str(error).splitlines() or [""]
        fail(f"the database cannot be asked now: {first}")


def set_up_service() -> None:
    """Make this a process that serves the panel for long. Ends the command where every request would fail."""
    with sentences(NotSetUp):
        read_settings().require_secret()
    set_up()
    import django.db
    import psycopg

    # A database that is away or not migrated yet is waited for; readiness looks again.
    with suppress(Unavailable, django.db.Error, psycopg.Error):
        _refuse_other_currency()
    django.db.connection.close()


def set_up(access: DatabaseAccess = DatabaseAccess.APP) -> None:
    """Make this a process of the panel: logs, failpoints of tests, Django over the panel's database."""
    import django

    from hawker.core.logs import configure_logs

    os.environ["HAWKER_DATABASE_ACCESS"] = access.value
    os.environ["DJANGO_SETTINGS_MODULE"] = "hawker.django_settings"
    chosen = read_settings()
    configure_logs(chosen.log_level, secrets=chosen.secrets())
    arm_from_environment(os.environ)
    django.setup()
