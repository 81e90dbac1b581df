"""What is a post, which post is new, and which list is not to be believed. Pure: no clock, no I/O."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from hawker.posts.errors import BadTemplate

PLACEHOLDER = "{username}"
MAX_ADDRESS = 2_500
MAX_POSTS = 5_000
"""Most posts of one list. A longer one is refused whole: which of them are the newest could not be told."""

MAX_NEW = 100
"""More new posts than this in one look are not believed: a broken feed would be paid for post by post."""

TOLERANCE = timedelta(hours=24)
"""How far the clocks and time zones of feeds are trusted to be off."""

_KEY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Post:
    """One post as its source lists it: `id` is unique in the list, `link` a full http(s) address."""

    id: str
    link: str
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sifted:
    """What a list tells. `listed` are its posts, newest first; `fresh` those never seen before, oldest first.

    `doubt` says why the list is not believed: then `fresh` is empty, and everything in it counts as seen. `is_early`
    tells that it has posts whose time has not come: the same list says more later.
    """

    listed: tuple[Post, ...]
    fresh: tuple[Post, ...]
    doubt: str = ""
    is_early: bool = False


def fill(template: str, username: str) -> str | None:
    """The address of this user's posts, or None for a name that cannot stand in one.

    The name is escaped whole, so it can add no path, query or host of its own; dots alone would still climb
    the path.
    """
    if not username.strip("."):
        return None
    address = template.replace(PLACEHOLDER, quote(username, safe=""))
    return address if len(address) <= MAX_ADDRESS else None


def check_template(template: str) -> None:
    """Raise BadTemplate unless the user name stands exactly once, behind the host."""
    if template.count(PLACEHOLDER) != 1:
        raise BadTemplate("the address must have {username} in it once, such as https://feeds.example/{username}.xml")
    try:
        parts = urlsplit(template)
    except ValueError as error:
        raise BadTemplate(f"{template!r} is not an address such as https://feeds.example/{{username}}.xml") from error
    if PLACEHOLDER in parts.netloc or PLACEHOLDER in parts.scheme:
        raise BadTemplate("{username} must come after the host: customers must not choose the host")
    if len(template) > MAX_ADDRESS // 5:
        raise BadTemplate(f"the address must not be longer than {MAX_ADDRESS // 5} characters")


def host_of(address: str) -> str:
    """The host that looks at this address burden; the address itself where it has none."""
    return (urlsplit(address).netloc.rpartition("@")[2] or address)[:255].lower()


def key_of(post: Post) -> str:
    """The name under which a subscription remembers a post: its id, shortened by a hash where it is long."""
    return post.id if len(post.id) <= _KEY_LENGTH else f"{post.id[:100]}…{_hash(post.id)}"


def marks_of(post: Post) -> tuple[str, str]:
    """By what a post is known again. Its link too: feeds give the same post a new id more often than a new link."""
    return _hash(f"id {post.id}"), _hash(f"link {post.link}")


def sift(posts: Sequence[Post], known: Collection[str], *, watched: bool, now: datetime) -> Sifted:
    """Tell new posts from old ones, given those marks of the list's posts that are `known`.

    `watched` is whether somebody has seen it before. A post dated more than a day ahead is left out until its time
    comes. A list of several posts in which nothing is left of what was seen before (or that was empty before), or with
    more than MAX_NEW new posts, is a feed that changed its ids, its owner or its mind, and not believed: what looks
    like news would be paid for post by post.
    """
    come = [post for post in posts if post.published is None or post.published <= now + TOLERANCE]
    listed, is_early = _newest_first(come), len(come) < len(posts)
    fresh = tuple(post for post in reversed(listed) if not any(mark in known for mark in marks_of(post)))
    if not watched:
        return Sifted(listed, (), is_early=is_early)
    if len(listed) > 1 and len(fresh) == len(listed):
        return Sifted(listed, (), "none of the posts that were seen before is in the feed", is_early)
    if len(fresh) > MAX_NEW:
        return Sifted(listed, (), f"{len(fresh)} new posts at once", is_early)
    return Sifted(listed, fresh, is_early=is_early)


def is_since(post: Post, looked_at: datetime) -> bool:
    """Whether a post that was not seen before is new to somebody who watches since then.

    Feeds that change ids bring back old posts as unseen ones: what they date before the first look is not new.
    """
    return post.published is None or post.published >= looked_at - TOLERANCE


def oldest_first(posts: Sequence[Post]) -> list[Post]:
    """Posts in the order in which they are ordered for."""
    return list(reversed(posts))


def next_look(now: datetime, *, interval: timedelta, failures: int, asked: timedelta | None, jitter: float) -> datetime:
    """When to look again: after the interval, moved by up to a tenth; after failures doubling, up to six hours.

    `asked` is what the source asked for (Retry-After), believed up to a day. `jitter` is a random number in 0..1.
    """
    wait = interval
    if failures:
        wait = min(interval * 2 ** min(failures - 1, 20), max(timedelta(hours=6), interval))
    if asked is not None:
        wait = max(wait, min(asked, timedelta(days=1)))
    return now + wait * (0.95 + jitter / 10)


def _newest_first(posts: Sequence[Post]) -> tuple[Post, ...]:
    """By date where every post has one; else as listed, which by custom is newest first. Doubles are dropped."""
    once: dict[str, Post] = {}
    seen: set[str] = set()
    for post in posts:
        if not seen.intersection(marks_of(post)):
            once[post.id] = post
            seen.update(marks_of(post))
    dated = [(post.published, post) for post in once.values() if post.published is not None]
    if len(dated) < len(once):
        return tuple(once.values())
    return tuple(post for _, post in sorted(dated, key=lambda item: item[0], reverse=True))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
