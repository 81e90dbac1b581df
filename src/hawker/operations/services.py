"""What staff do with services: change how they may be ordered, put them on and off sale, offer subscriptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hawker.operations.base import Run, operation, refusing
from hawker.operations.errors import BadInput, Refused
from hawker.operations.inputs import ServiceNumber, read_input

MAX_NAME = 255
MAX_FEED = 500
MAX_SOURCE = 40
MAX_REFILL_DAYS = 3_650

ServiceName = Annotated[
    str, Meta(min_length=1, max_length=MAX_NAME, description="What customers read.", extra={"trim": True})
]


@dataclass(frozen=True, slots=True)
class RouteOfService:
    """A provider that the service can be bought from; `cost_rate` is in the provider's currency."""

    provider: str
    provider_enabled: bool
    upstream_service: int
    cost_rate: str


@dataclass(frozen=True, slots=True)
class FoundPosts:
    """How the posts of a subscription are found: by the provider (`forwarded`), or here, at an address (`local`)."""

    mode: str
    old_posts: bool
    source: str | UnsetType = UNSET
    feed: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service with its rules, and where it is bought, in the order in which providers are asked."""

    service: int
    name: str
    type: str
    category: str
    enabled: bool
    rate: str
    free: bool
    min: int
    max: int
    refill: bool
    refill_days: int
    cancel: bool
    dripfeed: bool
    links: str
    one_active_per_link: bool
    subscription: FoundPosts | None
    forbidden_links: list[str]
    routes: list[RouteOfService]


@dataclass(frozen=True, slots=True)
class SetService:
    """What is None stays as it is."""

    service: ServiceNumber
    name: ServiceName | None = None
    free: Annotated[bool, Meta(description="A gift: orders cost nothing.")] | None = None
    links: (
        Annotated[Literal["any", "url", "handle"], Meta(description="What it takes as a link: any, url or handle.")]
        | None
    ) = None
    one_active_per_link: Annotated[bool, Meta(description="One unfinished order for a link at a time.")] | None = None
    refill_days: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=MAX_REFILL_DAYS,
                description="For how many days after its end an order may be refilled; 0 without an end.",
            ),
        ]
        | None
    ) = None
    subscription: (
        Annotated[
            Literal["forwarded", "local"],
            Meta(description="Who finds the posts: forwarded (the provider) or local (the panel)."),
        ]
        | None
    ) = None
    feed: (
        Annotated[
            str,
            Meta(max_length=MAX_FEED, description="Where posts are found, an address with {username} in it."),
        ]
        | None
    ) = None
    post_source: (
        Annotated[str, Meta(max_length=MAX_SOURCE, description="What reads that address: feed, or one installed.")]
        | None
    ) = None
    feed_private: Annotated[bool, Meta(description="It may be http or on a private network.")] | None = None
    old_posts: Annotated[bool, Meta(description="Existing posts may be ordered for too.")] | None = None

    def __post_init__(self) -> None:
        if not _changes_of(self):
            raise Refused("say what to change, such as what it takes as a link")
        _check_line("name", self.name)


_COLUMNS = {
    "name": "name",
    "free": "free",
    "links": "links",
    "one_active_per_link": "one_active_per_link",
    "refill_days": "refill_days",
    "subscription": "subscription",
    "feed": "post_url",
    "post_source": "post_source",
    "feed_private": "post_private",
    "old_posts": "old_posts",
}
"""The column of a service for each field of SetService."""


def _changes_of(given: SetService) -> Mapping[str, object]:
    values = {column: getattr(given, field) for field, column in _COLUMNS.items()}
    return {column: value for column, value in values.items() if value is not None}


def _check_line(field: str, text: str | None) -> None:
    if text is not None and not text.isprintable():
        raise BadInput(field, "must be one line of text that can be printed")


def _check_services(numbers: Sequence[str]) -> None:
    """Refuse a selection in which a number has no service: one was mistyped, so that none is changed."""
    from hawker.catalog.actions import check_services
    from hawker.catalog.errors import NoSuchService

    named = [read_input(EnableService, {"service": number}).service for number in numbers]
    with refusing(NoSuchService):
        check_services(named)


@operation(
    "service.set",
    subject="service",
    ids=lambda given: (given.service,),
    many="service",
    check_selection=_check_services,
)
def set_service(run: Run, given: SetService) -> ServiceView:
    """Change how a service may be ordered; what is not named stays."""
    return _change(run, given.service, _changes_of(given))


@dataclass(frozen=True, slots=True)
class EnableService:
    service: ServiceNumber


@dataclass(frozen=True, slots=True)
class DisableService:
    service: ServiceNumber


@dataclass(frozen=True, slots=True)
class ServiceSwitched:
    service: int
    enabled: bool


@operation(
    "service.enable",
    subject="service",
    ids=lambda given: (given.service,),
    many="service",
    check_selection=_check_services,
)
def enable_service(run: Run, given: EnableService) -> ServiceSwitched:
    """Put a service on sale."""
    _change(run, given.service, {"enabled": True})
    return ServiceSwitched(given.service, enabled=True)


@operation(
    "service.disable",
    subject="service",
    ids=lambda given: (given.service,),
    many="service",
    check_selection=_check_services,
)
def disable_service(run: Run, given: DisableService) -> ServiceSwitched:
    """Take a service off sale; orders that were placed go on."""
    _change(run, given.service, {"enabled": False})
    return ServiceSwitched(given.service, enabled=False)


@dataclass(frozen=True, slots=True)
class AddSubscription:
    service: ServiceNumber
    feed: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_FEED,
            description="Where posts are found, an address with {username} in it.",
            extra={"trim": True},
        ),
    ]
    name: Annotated[
        str,
        Meta(
            max_length=MAX_NAME,
            description="What customers read; made from the service's name without.",
            extra={"trim": True},
        ),
    ] = ""
    post_source: Annotated[
        str, Meta(max_length=MAX_SOURCE, description="What reads that address: feed, or one installed.")
    ] = "feed"
    feed_private: Annotated[bool, Meta(description="The address may be http or on a private network.")] = False

    def __post_init__(self) -> None:
        _check_line("name", self.name)


@operation("service.add_subscription", subject="service", ids=lambda given: (given.service,))
def add_subscription(run: Run, given: AddSubscription) -> ServiceView:
    """Offer subscriptions that buy each new post as an order of this service. Answers the new service."""
    from hawker.catalog.errors import BadChange, NoSuchService
    from hawker.orders import offer_subscription
    from hawker.posts.errors import BadTemplate, NoSuchSource

    try:
        with refusing(BadChange, NoSuchService):
            offered = offer_subscription(
                given.service,
                address=given.feed,
                source=given.post_source,
                allow_private=given.feed_private,
                name=given.name,
                now=run.now,
            )
    except BadTemplate as error:
        raise BadInput("feed", str(error)) from error
    except NoSuchSource as error:
        raise BadInput("post_source", str(error)) from error
    run.note(offered, after=_described(offered))
    return _view(offered)


def describe_service(service: int) -> dict[str, Any]:
    """A service as staff see it, with its `version` for an edit. Raises Refused where there is none."""
    from hawker.operations.versions import read_version

    return {**_described(service), "version": read_version("service", service)}


def _change(run: Run, service: int, changes: Mapping[str, object]) -> ServiceView:
    from hawker.catalog.errors import BadChange, NoSuchService
    from hawker.orders import change_guarded_services, check_subscription_changes
    from hawker.posts.errors import BadTemplate, NoSuchSource

    run.watch(service, partial(_described, service))
    try:
        with refusing(BadChange, NoSuchService):
            check_subscription_changes([service], changes)
            change_guarded_services([service], changes)
    except BadTemplate as error:
        raise BadInput("feed", str(error)) from error
    except NoSuchSource as error:
        raise BadInput("post_source", str(error)) from error
    return _view(service)


def _view(service: int) -> ServiceView:
    return msgspec.convert(_described(service), ServiceView)


def _described(service: int) -> dict[str, Any]:
    from hawker.catalog.actions import describe_services
    from hawker.catalog.errors import NoSuchService

    with refusing(NoSuchService):
        return describe_services([service])[0]
