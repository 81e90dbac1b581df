"""The built-in source: RSS and Atom over HTTP, asked for only where it changed."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

from hawker.core.clock import Clock, SystemClock
from hawker.posts.errors import BadTemplate
from hawker.posts.feed_parsing import Reader, ReadPost, reader
from hawker.posts.rules import MAX_POSTS, PLACEHOLDER, Post, check_template
from hawker.posts.source import Failed, FeedQuestion, FeedUnchanged, FetchResult, Posts
from hawker.protocol.params import MAX_LINK, read_link
from hawker.providers.errors import BadProvider, CallFailed, CannotConnect
from hawker.providers.http_client import HttpAnswer, ProviderClient, open_line
from hawker.providers.rules import ProviderUrl, read_provider_url

MAX_FEED_BYTES = 2 * 1024 * 1024
FETCH_SECONDS = 20.0

_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()

_threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="feed")
"""One, because the reading process serves one at a time; never those of the database, which orders wait for."""


class OpenLine(Protocol):
    """Opens a line to a host; passed in so that tests can stand in between."""

    async def __call__(self, url: ProviderUrl, *, allow_private: bool) -> ProviderClient: ...


class FeedSource:
    """Looks at one feed: dials by the rules of provider lines (no redirects, no private addresses unless switched)."""

    def __init__(self, *, opener: OpenLine = open_line, clock: Clock | None = None, parser: Reader = reader) -> None:
        self._opener = opener
        self._clock = clock or SystemClock()
        self._parser = parser

    def check(self, template: str, *, allow_private: bool) -> None:
        """Raise BadTemplate unless this is an https address with one `{username}` behind the host."""
        check_template(template)
        try:
            read_provider_url(template.replace(PLACEHOLDER, "name"), allow_private=allow_private)
        except BadProvider as error:
            raise BadTemplate(str(error)) from error

    async def look(self, question: FeedQuestion) -> FetchResult:
        """The feed's posts as they are now. Whatever the other side does becomes a Failed."""
        try:
            url = read_provider_url(question.url, allow_private=question.allow_private)
            line = await self._opener(url, allow_private=question.allow_private)
        except (BadProvider, CannotConnect) as error:
            return Failed(str(error))
        try:
            answer = await line.get(_headers(question), deadline_seconds=FETCH_SECONDS, max_bytes=MAX_FEED_BYTES)
        except CallFailed as error:
            return Failed(str(error))
        finally:
            await line.close()
        return await self._read(question, answer)

    async def _read(self, question: FeedQuestion, answer: HttpAnswer) -> FetchResult:
        if answer.http_status == 304 and (question.etag or question.last_modified):
            return FeedUnchanged()
        if answer.http_status != 200:
            why = f"HTTP {answer.http_status}" + (": a redirect" if 300 <= answer.http_status < 400 else "")
            return Failed(why, self._retry_after(answer.headers))
        digest = hashlib.sha256(answer.body).hexdigest()
        if digest == question.digest:
            return FeedUnchanged()
        read = await asyncio.get_running_loop().run_in_executor(_threads, self._parser.read, question.url, answer.body)
        if read.error:
            return Failed(read.error[:250])
        if len(read.posts) > MAX_POSTS:
            return Failed(f"more than {MAX_POSTS} posts in one feed")
        return Posts(
            tuple(post for row in read.posts if (post := _post(row)) is not None),
            etag=_kept(answer.headers.get("etag", ""), 500),
            last_modified=_kept(answer.headers.get("last-modified", ""), 100),
            digest=digest,
        )

    def _retry_after(self, headers: Mapping[str, str]) -> timedelta | None:
        text = headers.get("retry-after", "").strip()
        if re.fullmatch("[0-9]{1,9}", text, re.ASCII):
            return timedelta(seconds=int(text))
        try:
            return max(parsedate_to_datetime(text) - self._clock.now(), timedelta()) if text else None
        except (ValueError, TypeError, OverflowError):
            return None


def _headers(question: FeedQuestion) -> dict[str, str]:
    headers = {"Accept": _ACCEPT}
    if question.etag:
        headers["If-None-Match"] = question.etag
    if question.last_modified:
        headers["If-Modified-Since"] = question.last_modified
    return headers


def _kept(value: str, longest: int) -> str:
    """A validator to send back, or nothing where it is too long or not plain: it goes into a header of ours."""
    return value if len(value) <= longest and value.isascii() and value.isprintable() else ""


def _post(row: ReadPost) -> Post | None:
    """The post, or None where its link cannot be ordered for."""
    link = read_link(row.link)
    if link is None or len(link) > MAX_LINK or not link.lower().startswith(("https://", "http://")):
        return None
    name = "".join(letter for letter in row.id if letter.isprintable())[:2_000]
    published = None
    if row.published is not None and 0 <= row.published < _LATEST:
        published = datetime.fromtimestamp(row.published, UTC)
    return Post(name or link, link, published)
