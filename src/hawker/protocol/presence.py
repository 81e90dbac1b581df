"""Which of many numbers are orders of ours at a panel: the answer to `status`, with nothing taken for granted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from hawker.protocol.upstream import Unreadable, UpstreamStatus, read_statuses

_NO_SUCH = re.compile(
    r"(incorrect|invalid|wrong|unknown|no such|missing|bad).{0,4}(order|id)\b|(order|id)\b.{0,12}(not.?found|incorrect|"
    r"invalid|wrong|unknown|does.?n.t exist|not exist)|not.?found|order\.error\.id|incorrect_order",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Presence:
    """What a panel told of the numbers it was asked about.

    `found` are orders of ours there, with their status where it could be read. `absent` are numbers that it does
    not know under our key: it said so, or left them out of a list of which it knew the rest. `unclear` are those
    that it answered otherwise.
    """

    found: dict[int, UpstreamStatus | None] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    unclear: set[int] = field(default_factory=set)


def read_presence(body: bytes, asked: Sequence[int], known: Sequence[int]) -> Presence | Unreadable:
    """Sort the numbers asked about. `known` are orders of ours that were asked about in the same call, first and last.

    Where one of those is not answered readably, nothing of the answer counts: the panel may be out of order, refuse our
    key, or have cut the list.
    """
    answer = read_statuses(body, [*known, *asked])
    if isinstance(answer, Unreadable):
        return answer
    for sure in known:
        if not isinstance(answer.get(sure), UpstreamStatus):
            return Unreadable("status", f"order {sure}, which is ours there, was not answered")
    presence = Presence()
    for number in asked:
        match answer.get(number):
            case None:
                presence.absent.add(number)
            case UpstreamStatus() as status:
                presence.found[number] = status
            case Unreadable(why=why, told=True):
                (presence.absent if _NO_SUCH.search(why) else presence.unclear).add(number)
            case Unreadable(why="not an object"):
                presence.unclear.add(number)
            case Unreadable():
                # A row whose status we do not know, such as a subscription's, is an order all the same.
                presence.found[number] = None
    return presence
