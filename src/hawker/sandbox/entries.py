"""The facts that a sandbox keeps, each one line of its journal: what happened, never what was computed."""

from datetime import datetime
from typing import TypeAlias

import msgspec

from hawker.sandbox.fates import WireFate


class SandboxSubscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a subscription was asked to do. `posts` None is unlimited; `expires_tick` None is never."""

    username: str
    minimum: int
    maximum: int
    delay_minutes: int
    posts: int | None = None
    old_posts: int = 0
    expiry: str = ""
    expires_tick: int | None = None


class SandboxOrder(msgspec.Struct, tag="order", tag_field="record", omit_defaults=True):
    """One order: everything that its delivery is computed from.

    `quantity` is the whole of a drip-feed. `left` is what stays undelivered when it ends by its fate.
    The last two fields are the only ones that change, by a CancelAsked and a Refunded.
    """

    id: int
    key: str
    service: int
    link: str
    quantity: int
    charge_micros: int
    tick: int
    at: datetime
    roll: int
    fate: WireFate
    left: int = 0
    parent: int = 0
    runs: int = 0
    interval_minutes: int = 0
    subscription: SandboxSubscription | None = None
    marker: str = ""
    cancel_tick: int | None = None
    refunded_micros: int = 0


class SandboxRefill(msgspec.Struct, tag="refill", tag_field="record", frozen=True):
    """One refill task."""

    id: int
    order: int
    tick: int
    rejected: bool


class CancelAsked(msgspec.Struct, tag="cancel", tag_field="record", frozen=True):
    """The order will stop at `tick`, unless it ended before."""

    order: int
    tick: int


class Refunded(msgspec.Struct, tag="refund", tag_field="record", frozen=True):
    """So much went back to the balance of the order's key."""

    order: int
    micros: int


class Funded(msgspec.Struct, tag="balance", tag_field="record", frozen=True):
    """The balance of a key was set."""

    key: str
    micros: int


class Clocked(msgspec.Struct, tag="clock", tag_field="record", frozen=True):
    """From `at` on, which was `tick`, time runs at `speed`."""

    at: datetime
    tick: int
    speed: float


class Reset(msgspec.Struct, tag="reset", tag_field="record", frozen=True):
    """Orders, refills, calls and balances were forgotten; ids go on."""


class CallSeen(msgspec.Struct, tag="call", tag_field="record", frozen=True):
    """One call as it was received, and what came of it.

    `executed` tells whether the action was carried out at all (a fault may stand before it); `order`,
    `refills` and `cancels` what it made, `error` what it was refused for, `fault` what spoilt the answer.
    `connection` numbers the TCP connections, so that reuse can be seen.
    """

    n: int
    at: datetime
    key: str
    action: str
    method: str
    connection: int
    fields: dict[str, str]
    executed: bool
    order: int | None = None
    refills: tuple[int, ...] = ()
    cancels: tuple[int, ...] = ()
    error: str | None = None
    fault: str | None = None


Entry: TypeAlias = SandboxOrder | SandboxRefill | CancelAsked | Refunded | Funded | Clocked | Reset | CallSeen
