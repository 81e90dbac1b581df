"""The sandbox's price list: 200 services in 12 categories, ids 1..200, all seventeen types, always the same.

Built from tables. Names are of plain, harmless things: nothing here may look like an offer of the
real trade. SandboxService 1 is the seed's Default example (rate 0.90, 50..10000, refill and cancel),
service 2 its Custom Comments example (rate 8, 10..1500, no refill), service 3 a Package.
"""

from dataclasses import dataclass

from hawker.core.money import CUSTOMER_STEP_MICROS, read_micros
from hawker.protocol.replies import OfferedService
from hawker.protocol.service_types import QuantityRule, ServiceType, find_type

SIZE = 200

_CATEGORIES = (
    ("Flyers", "Flyer"),
    ("Newsletters", "Newsletter"),
    ("Posters", "Poster"),
    ("Podcasts", "Podcast"),
    ("Articles", "Article"),
    ("Surveys", "Survey"),
    ("Notice boards", "Notice"),
    ("Product sheets", "Product sheet"),
    ("Event pages", "Event page"),
    ("Photo albums", "Photo album"),
    ("Short films", "Short film"),
    ("City guides", "City guide"),
)

_COUNT_BY_TYPE = {
    "Default": 90,
    "Package": 20,
    "Custom Comments": 16,
    "Mentions with Hashtags": 12,
    "Subscriptions": 12,
    "Comment Likes": 12,
    "Web Traffic": 4,
    "Mentions": 4,
    "Poll": 4,
    "SEO": 4,
    "Comment Replies": 4,
    "Custom Comments Package": 3,
    "Mentions Custom List": 3,
    "Mentions Hashtag": 3,
    "Mentions User Followers": 3,
    "Mentions Media Likers": 3,
    "Invites from Groups": 3,
}

_WHAT_BY_TYPE = {
    "Default": ("views", "reads", "impressions", "downloads"),
    "Package": ("starter package", "week package"),
    "Custom Comments": ("notes in your words",),
    "Mentions with Hashtags": ("mentions with topics",),
    "Subscriptions": ("views for each new issue",),
    "Comment Likes": ("note highlights",),
    "Web Traffic": ("page visits",),
    "Mentions": ("mentions",),
    "Poll": ("poll votes",),
    "SEO": ("keyword listing",),
    "Comment Replies": ("replies in your words",),
    "Custom Comments Package": ("notes package",),
    "Mentions Custom List": ("mentions from your list",),
    "Mentions Hashtag": ("mentions by topic",),
    "Mentions User Followers": ("mentions to an audience",),
    "Mentions Media Likers": ("mentions by picture",),
    "Invites from Groups": ("group invitations",),
}

_PACES = ("standard", "steady", "express", "weekend", "evening", "regional", "large format")
_RATES = ("0.90", "1.2", "0.01234", "3", "0.5", "12.50", "0.075", "2.40", "0.0056", "7.99", "0.3", "24")
_PACKAGE_RATES = ("4.99", "15", "0.75", "29.00", "8.5", "120", "2.25")
_LIMITS = ((50, 10_000), (10, 1_000), (100, 100_000), (20, 5_000), (1, 500), (250, 50_000))
_LINE_LIMITS = ((10, 1_500), (1, 500), (5, 200))
_LEADING_TYPES = ("Default", "Custom Comments", "Package")
_WITHOUT_REFILL = ("Subscriptions", "Custom Comments", "Custom Comments Package", "Comment Replies", "Poll")
_RATES_OF_LINES = ("8", "6.5", "11.20")


@dataclass(frozen=True, slots=True)
class SandboxService:
    """One service: its row of the `services` answer, its type, and its rate as an exact number."""

    offered: OfferedService
    type: ServiceType
    rate_micros: int

    def charge_micros(self, quantity: int) -> int:
        """The price of `quantity`: rate x quantity / 1000 rounded up to five decimals; a package costs its rate."""
        thousandths = self.rate_micros * (1000 if self.type.quantity is QuantityRule.FIXED else quantity)
        return -(-thousandths // (1000 * CUSTOMER_STEP_MICROS)) * CUSTOMER_STEP_MICROS


def _types_in_order() -> list[ServiceType]:
    """The type of each service: the leading three, then all others spread evenly over the list."""
    left = dict(_COUNT_BY_TYPE)
    for name in _LEADING_TYPES:
        left[name] -= 1
    # Whole numbers only: the k-th of n comes after (2k+1)/2n of the list.
    places = [((2 * k + 1) * 1_000_000 // count, name) for name, count in left.items() for k in range(count)]
    names = [*_LEADING_TYPES, *(name for _, name in sorted(places))]
    return [_type_called(name) for name in names]


def _type_called(name: str) -> ServiceType:
    found = find_type(name)
    assert found is not None, name
    return found


def _limits(service: int, service_type: ServiceType) -> tuple[int, int]:
    match service_type.quantity:
        case QuantityRule.FIXED:
            return 1, 1
        case QuantityRule.LINES:
            return _LINE_LIMITS[(service - 2) % len(_LINE_LIMITS)]
        case _:
            return _LIMITS[(service - 1) % len(_LIMITS)]


def _rate(service: int, service_type: ServiceType) -> str:
    if service_type.quantity is QuantityRule.FIXED:
        return _PACKAGE_RATES[service % len(_PACKAGE_RATES)]
    if service_type.quantity is QuantityRule.LINES:
        return _RATES_OF_LINES[(service - 2) % len(_RATES_OF_LINES)]
    return _RATES[(service - 1) % len(_RATES)]


def _build(service: int, service_type: ServiceType) -> SandboxService:
    category, thing = _CATEGORIES[(service - 1) * len(_CATEGORIES) // SIZE]
    whats = _WHAT_BY_TYPE[service_type.name]
    minimum, maximum = _limits(service, service_type)
    rate = _rate(service, service_type)
    rate_micros = read_micros(rate)
    assert rate_micros is not None, rate
    offered = OfferedService(
        service=service,
        name=f"{thing} {whats[service % len(whats)]}, {_PACES[service % len(_PACES)]} (demo)",
        type=service_type.name,
        category=category,
        rate=rate,
        minimum=minimum,
        maximum=maximum,
        refill=service_type.name not in _WITHOUT_REFILL and service % 3 != 0,
        cancel=service % 5 != 4,
        dripfeed=service_type.drip_feed and service % 2 == 1,
    )
    return SandboxService(offered, service_type, rate_micros)


SERVICES: dict[int, SandboxService] = {
    service: _build(service, service_type) for service, service_type in enumerate(_types_in_order(), start=1)
}
