"""What a source of posts is, and where others register theirs.

Another package offers one under the entry point group `hawker.post_sources`: the entry point's name is what
`hawker service set --post-source` takes, its value an object (or a class without arguments) with these two methods.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from hawker.posts.rules import Post

GROUP = "hawker.post_sources"


@dataclass(frozen=True, slots=True)
class Question:
    """Which list is asked for. The last three are what the last answer gave, empty where the whole list is wanted."""

    url: str
    allow_private: bool
    etag: str = ""
    last_modified: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Posts:
    """The whole list, in the source's own order, newest first where it has none of dates."""

    posts: tuple[Post, ...]
    etag: str = ""
    last_modified: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The list is what it was at the last answer."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No list could be had, and why, in a person's words; `retry_after` where the source asked for patience."""

    why: str
    retry_after: timedelta | None = None


Look = Posts | Unchanged | Failed


@runtime_checkable
class PostSource(Protocol):
    """Lists the posts of one user."""

    def check(self, template: str, *, allow_private: bool) -> None:
        """Raise BadTemplate, with a sentence, for an address that this source cannot be asked at."""
        ...

    async def look(self, question: Question) -> Look:
        """The list as it is now. Never raises for anything the other side does; ends within a minute."""
        ...


FindSource = Callable[[str], PostSource | None]


@cache
def find_source(name: str) -> PostSource | None:
    """The source called `name`: the built-in `feed`, or one that an installed package registers."""
    if name == "feed":
        from hawker.posts.feed import FeedSource

        return FeedSource()
    for entry in entry_points(group=GROUP, name=name):
        loaded = entry.load()
        source = loaded() if isinstance(loaded, type) else loaded
        return source if isinstance(source, PostSource) else None
    return None
