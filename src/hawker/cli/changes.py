"""Whoever changes something by command: known by the account of the machine, and written to the audit log."""

import os
import pwd
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from hawker.core.actors import Actor, ActorKind
from hawker.core.clock import SystemClock

if TYPE_CHECKING:
    from hawker.audit.actions import AuditedChange


def actor() -> Actor:
    """The account that runs this command, as the system knows it: LOGNAME is what anybody says it is."""
    try:
        return Actor(ActorKind.CLI, os.getuid(), pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return Actor(ActorKind.CLI, os.getuid(), str(os.getuid()))


def changing(action: str, *, reason: str = "") -> "AbstractContextManager[AuditedChange]":
    """One transaction for what is changed inside and for its rows in the audit log (hawker.audit.actions.audited)."""
    from hawker.audit.actions import audited

    return audited(actor(), action, reason=reason, now=SystemClock().now())
