"""The seventeen service types. This table drives parsing, the upstream call, the forms and the documents.

Source: tests/wire/seed-api.txt for the six types it shows; the table in docs/api.md has all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hawker.protocol.errors import IncorrectParameter, IncorrectQuantity
from hawker.protocol.params import MAX_LINE, Param, ParamKind, Value

SUBSCRIPTION_DELAYS = (0, 5, 10, 15, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 360, 420, 480, 540, 600)
MAX_RUNS = 10_000
MAX_INTERVAL_MINUTES = 525_600

LINK = Param("link", ParamKind.LINK, "Link to page")
# Zero is read: the service's minimum refuses it, with the text that names the minimum.
QUANTITY = Param("quantity", ParamKind.QUANTITY, "Needed quantity")
USERNAME = Param("username", ParamKind.TEXT, "Username")
COMMENTS = Param("comments", ParamKind.LINES, r"Comments list separated by \r\n or \n", max_length=MAX_LINE)
USERNAMES = Param("usernames", ParamKind.LINES, r"Usernames list separated by \r\n or \n")
HASHTAGS = Param("hashtags", ParamKind.LINES, r"Hashtags list separated by \r\n or \n")
RUNS = Param("runs", ParamKind.COUNT, "Runs to deliver", required=False, minimum=1, maximum=MAX_RUNS)
INTERVAL = Param(
    "interval", ParamKind.COUNT, "Interval in minutes", required=False, minimum=1, maximum=MAX_INTERVAL_MINUTES
)


class QuantityRule(StrEnum):
    """Where an order's quantity comes from, which is also what its price is made of."""

    GIVEN = "given"  # the parameter `quantity`
    LINES = "lines"  # the number of lines of the list parameter `counted`
    FIXED = "fixed"  # one package; the rate is its price
    PER_POST = "per_post"  # decided for each post, between `min` and `max`


@dataclass(frozen=True, slots=True)
class ServiceType:
    """One type: its name on the wire, its `add` parameters, and how its quantity is found."""

    name: str
    params: tuple[Param, ...]
    quantity: QuantityRule = QuantityRule.GIVEN
    counted: str = ""
    drip_feed: bool = False


@dataclass(frozen=True, slots=True)
class OrderForm:
    """The parameters of one `add`, read by the type's table.

    `quantity` is None where the type has none of its own (Subscriptions); `extra` holds what is
    forwarded upstream beside link and quantity, by wire name.
    """

    link: str
    quantity: int | None
    runs: int | None = None
    interval_minutes: int | None = None
    extra: Mapping[str, Value] = field(default_factory=dict)


TYPES: tuple[ServiceType, ...] = (
    ServiceType("Default", (LINK, QUANTITY, RUNS, INTERVAL), drip_feed=True),
    ServiceType("Package", (LINK,), QuantityRule.FIXED),
    ServiceType("Custom Comments", (LINK, COMMENTS), QuantityRule.LINES, "comments"),
    ServiceType("Custom Comments Package", (LINK, COMMENTS), QuantityRule.FIXED),
    ServiceType("Mentions", (LINK, QUANTITY, USERNAMES)),
    ServiceType("Mentions with Hashtags", (LINK, QUANTITY, USERNAMES, HASHTAGS)),
    ServiceType("Mentions Custom List", (LINK, USERNAMES), QuantityRule.LINES, "usernames"),
    ServiceType("Mentions Hashtag", (LINK, QUANTITY, Param("hashtag", ParamKind.TEXT, "Hashtag"))),
    ServiceType("Mentions User Followers", (LINK, QUANTITY, USERNAME)),
    ServiceType("Mentions Media Likers", (LINK, QUANTITY, Param("media", ParamKind.LINK, "Media URL"))),
    ServiceType(
        "Comment Likes",
        (LINK, QUANTITY, Param("username", ParamKind.TEXT, "Username of the comment owner")),
    ),
    ServiceType("Comment Replies", (LINK, USERNAME, COMMENTS), QuantityRule.LINES, "comments"),
    ServiceType(
        "Poll",
        (LINK, QUANTITY, Param("answer_number", ParamKind.TEXT, "Answer number of the poll", max_length=20)),
    ),
    ServiceType(
        "Invites from Groups",
        (LINK, QUANTITY, Param("groups", ParamKind.LINES, r"Groups list separated by \r\n or \n")),
    ),
    ServiceType("SEO", (LINK, QUANTITY, Param("keywords", ParamKind.LINES, r"Keywords list separated by \r\n or \n"))),
    ServiceType(
        "Web Traffic",
        (
            LINK,
            QUANTITY,
            RUNS,
            INTERVAL,
            Param("country", ParamKind.TEXT, "Country code, WW for worldwide", required=False, max_length=60),
            Param(
                "device",
                ParamKind.CHOICE,
                "1 desktop, 2 Android, 3 iOS, 4 mixed mobile, 5 mixed",
                required=False,
                choices=(1, 2, 3, 4, 5),
            ),
            Param(
                "type_of_traffic",
                ParamKind.CHOICE,
                "1 search keyword, 2 referrer, 3 blank",
                required=False,
                choices=(1, 2, 3),
            ),
            Param(
                "google_keyword",
                ParamKind.TEXT,
                "Required when type_of_traffic is 1",
                required=False,
                max_length=200,
            ),
            Param("referring_url", ParamKind.LINK, "Required when type_of_traffic is 2", required=False),
        ),
        drip_feed=True,
    ),
    ServiceType(
        "Subscriptions",
        (
            USERNAME,
            Param("min", ParamKind.COUNT, "Quantity min", minimum=1),
            Param("max", ParamKind.COUNT, "Quantity max", minimum=1),
            Param(
                "posts",
                ParamKind.COUNT,
                "Number of new posts to order for; without it unlimited, 0 for old posts only",
                required=False,
            ),
            Param(
                "old_posts",
                ParamKind.COUNT,
                "Number of existing posts to order for, where the service offers it",
                required=False,
                maximum=1_000,
            ),
            Param("delay", ParamKind.CHOICE, "Delay in minutes", choices=SUBSCRIPTION_DELAYS),
            Param("expiry", ParamKind.DATE, "Expiry date. Format d/m/Y", required=False),
        ),
        QuantityRule.PER_POST,
    ),
)


def _squeezed(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


_BY_NAME = {_squeezed(service_type.name): service_type for service_type in TYPES}
_NEEDED_BY_TRAFFIC = {1: "google_keyword", 2: "referring_url"}


def find_type(name: str) -> ServiceType | None:
    """The type called `name`, in whatever case and punctuation catalogues write it (`custom_comments`)."""
    return _BY_NAME.get(_squeezed(name))


def read_order_form(service_type: ServiceType, fields: Mapping[str, str]) -> OrderForm:
    """Read the parameters of an `add` for this type. Raises the refusal of the first that fails.

    Parameters of other types are ignored, as are unknown ones. Limits of the service (min, max,
    drip-feed allowed) are not known here: orders/placing/rules.py checks them.
    """
    values: dict[str, Value] = {}
    for param in service_type.params:
        text = fields.get(param.name)
        if text is not None:
            values[param.name] = param.read(text)
        elif param.required:
            raise param.refusal()
    _check_together(values)
    return OrderForm(
        link=str(values.pop("link", "")),
        quantity=_quantity(service_type, values),
        runs=_whole(values.pop("runs", None)),
        interval_minutes=_whole(values.pop("interval", None)),
        extra=values,
    )


def _check_together(values: Mapping[str, Value]) -> None:
    """The rules between parameters: `runs` needs `interval`, a kind of traffic needs its keyword or address."""
    if ("runs" in values) != ("interval" in values):
        raise IncorrectParameter(name="interval" if "runs" in values else "runs")
    needed = _NEEDED_BY_TRAFFIC.get(_whole(values.get("type_of_traffic")) or 0)
    if needed is not None and needed not in values:
        raise IncorrectParameter(name=needed)
    low, high = _whole(values.get("min")), _whole(values.get("max"))
    if low is not None and high is not None and low > high:
        raise IncorrectParameter(name="max")


def _quantity(service_type: ServiceType, values: dict[str, Value]) -> int | None:
    match service_type.quantity:
        case QuantityRule.GIVEN:
            return _whole(values.pop("quantity"))
        case QuantityRule.LINES:
            lines = values[service_type.counted]
            return len(lines) if isinstance(lines, tuple) else 0
        case QuantityRule.FIXED:
            return 1
        case QuantityRule.PER_POST:
            return None
    raise IncorrectQuantity


def _whole(value: Value | None) -> int | None:
    return value if isinstance(value, int) else None
