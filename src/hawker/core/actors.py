"""Who makes a change: a person, a program in a person's place, or a part of Hawker itself."""

from dataclasses import dataclass
from enum import StrEnum

LOCAL = "local"
"""The address of an actor at the panel's own machine."""


class ActorKind(StrEnum):
    CLI = "cli"  # an account of the machine, by a command
    STAFF = "staff"  # a user with a role, by a page or the admin API
    CUSTOMER = "customer"  # a user, by a page or with an API key
    SYSTEM = "system"  # a part of Hawker: a worker, a sweep


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change and from where.

    `id` is the uid of a CLI account, the user's id of staff and customers, None of the system. `name` is what people
    read: `root`, `anna@example.com`, the name of a worker or a sweep. `address` is an IP address, or LOCAL.
    """

    kind: ActorKind
    id: int | None
    name: str
    address: str = LOCAL

    def __str__(self) -> str:
        """`cli:root`, `staff:anna@example.com`; of the system the name alone (`poll`). Without a name, the kind."""
        if self.kind is ActorKind.SYSTEM:
            return self.name
        return f"{self.kind.value}:{self.name}" if self.name else self.kind.value


def read_actor(text: str) -> tuple[str, str]:
    """The kind and name of an actor as `str` writes it."""
    kind, colon, name = text.partition(":")
    is_person = bool(colon) and kind in {each.value for each in ActorKind}
    return (kind, name) if is_person else (ActorKind.SYSTEM.value, text)


def system(name: str) -> Actor:
    """The part of Hawker that is called `name`."""
    return Actor(ActorKind.SYSTEM, None, name)
