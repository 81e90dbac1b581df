"""The interface of a source of posts: what it is asked, and what it answers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from hawker.posts.rules import Post


@dataclass(frozen=True, slots=True)
class FeedQuestion:
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
class FeedUnchanged:
    """The list is what it was at the last answer."""


@dataclass(frozen=True, slots=True)
class Failed:
    """No list could be had, and why, in a person's words; `retry_after` where the source asked for patience."""

    why: str
    retry_after: timedelta | None = None


FetchResult = Posts | FeedUnchanged | Failed


@runtime_checkable
class PostSource(Protocol):
    """Lists the posts of one user."""

    def check(self, template: str, *, allow_private: bool) -> None:
        """Raise BadTemplate, with a sentence, for an address that this source cannot be asked at."""
        ...

    async def look(self, question: FeedQuestion) -> FetchResult:
        """The list as it is now. Never raises for anything the other side does; ends within a minute."""
        ...
