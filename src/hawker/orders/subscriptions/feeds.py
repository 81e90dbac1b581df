"""Looking at feeds for subscriptions: which are due, and what a look changes."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hawker.alerts.actions import Raised, log_alerts, write_alerts, write_closed
from hawker.alerts.models import AlertKind
from hawker.alerts.subjects import AlertSubject, about_feed
from hawker.core.failpoints import failpoint
from hawker.core.settings import settings
from hawker.core.sql import Cursor, ask, in_transaction
from hawker.orders.subscriptions import queries
from hawker.posts import queries as post_queries
from hawker.posts.rules import Post, Sifted, is_since, key_of, marks_of, next_look, oldest_first, sift
from hawker.posts.source import Failed, FeedQuestion, FeedUnchanged, FetchResult

LOOK_LEASE = timedelta(seconds=90)
"""Longer than a look may take: a killed worker's looks are soon due again, and looking twice costs a call."""

ALARMING_FAILURES = 5
"""So many looks in a row must fail before a person hears of a feed: about three hours, as they grow rare."""

CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class ClaimedFeed:
    """A feed to look at now, leased: whose source to ask, what, and which host that burdens."""

    feed_id: int
    source: str
    host: str
    question: FeedQuestion


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look at a feed: what is wrong with it, and whether a person must hear of that, or of its end."""

    feed_id: int
    url: str
    problem: str = ""
    is_alarming: bool = False
    is_recovered: bool = False

    @property
    def subject(self) -> AlertSubject:
        return about_feed(self.feed_id)


@dataclass(slots=True)
class _Watcher:
    """A subscription on the feed; `room` is how many more new posts it takes, None without a limit."""

    order_id: int
    looked_at: datetime | None
    old_posts: int
    delay_minutes: int
    room: int | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A post for a subscription, and when to order for it."""

    order_id: int
    post: Post
    is_new: bool
    due_at: datetime


def wake_feeds(*, now: datetime) -> None:
    """Have feeds looked at now that somebody has subscribed to since they were last asked. Raises Unavailable."""
    in_transaction(lambda cursor: ask(cursor, queries.WAKE_FEEDS, (now, now)))


def claim_feeds(*, limit: int, busy: Collection[str], lanes: int, now: datetime) -> list[ClaimedFeed]:
    """Up to `limit` due feeds, at most `lanes` of one host and none of a `busy` one, leased until LOOK_LEASE from now.

    Feeds that nobody watches any more are put to rest, and asked again when somebody subscribes. Raises Unavailable.
    """
    return in_transaction(lambda cursor: _claim(cursor, limit, list(busy), lanes, now))


def _claim(cursor: Cursor, limit: int, busy: list[str], lanes: int, now: datetime) -> list[ClaimedFeed]:
    rows = ask(cursor, post_queries.CLAIM_FEEDS, (now, busy, CANDIDATES)).fetchall()
    if not rows:
        return []
    watched: dict[int, bool] = dict(ask(cursor, queries.FIND_WATCHED, ([row[0] for row in rows],)).fetchall())
    taken: list[ClaimedFeed] = []
    per_host: dict[str, int] = {}
    for row in rows:
        host = row[3]
        if row[0] not in watched or len(taken) == limit or per_host.get(host, 0) == lanes:
            continue
        per_host[host] = per_host.get(host, 0) + 1
        taken.append(_read(row, whole=watched[row[0]]))
    resting = [row[0] for row in rows if row[0] not in watched]
    leases = [(watch.feed_id, now + LOOK_LEASE) for watch in taken] + [(feed_id, None) for feed_id in resting]
    if leases:
        ask(cursor, post_queries.LEASE_FEEDS, (now, *map(list, zip(*leases, strict=True))))
    return taken


def _read(row: tuple[Any, ...], *, whole: bool) -> ClaimedFeed:
    feed_id, source, url, host, allow_private, etag, last_modified, digest = row
    if whole:
        # Somebody has seen no post of it yet: "nothing has changed" would tell them nothing.
        etag = last_modified = digest = ""
    return ClaimedFeed(feed_id, source, host, FeedQuestion(url, allow_private, etag, last_modified, digest))


def apply_looks(looks: Sequence[tuple[ClaimedFeed, FetchResult]], *, now: datetime) -> list[Looked]:
    """Write what looks found: posts to order for, and when to look again. Idempotent: a post is found once.

    A feed that keeps failing, or is not believed, is told to a person. Raises Unavailable; the feeds are then due again
    when their leases end.
    """
    ordered = sorted(looks, key=lambda item: item[0].feed_id)

    def work(cursor: Cursor) -> tuple[list[Looked], list[Raised]]:
        looked = [_apply(cursor, watch, look, now) for watch, look in ordered]
        raised = [
            Raised(AlertKind.FEED_TROUBLE, item.subject, f"{item.url}: {item.problem}")
            for item in looked
            if item.is_alarming
        ]
        write_closed(
            cursor,
            AlertKind.FEED_TROUBLE,
            [item.subject for item in looked if item.is_recovered],
            by="it is read again",
            now=now,
        )
        return looked, write_alerts(cursor, raised, now=now)

    looked, opened = in_transaction(work)
    log_alerts(opened)
    return looked


def _apply(cursor: Cursor, watch: ClaimedFeed, look: FetchResult, now: datetime) -> Looked:
    locked = ask(cursor, post_queries.LOCK_FEED, (watch.feed_id,)).fetchone()
    failures = locked[0] if locked else 0
    if isinstance(look, Failed):
        failures += 1
        due_at = _due(now, failures, look.retry_after)
        ask(cursor, post_queries.UPDATE_FAILED, (due_at, failures, look.why[:300], watch.feed_id))
        return Looked(watch.feed_id, watch.question.url, look.why, is_alarming=failures >= ALARMING_FAILURES)
    if isinstance(look, FeedUnchanged):
        ask(cursor, post_queries.UPDATE_UNCHANGED, (_due(now), watch.feed_id))
        return Looked(watch.feed_id, watch.question.url, is_recovered=failures > 0)
    watchers = [_Watcher(*row) for row in ask(cursor, queries.READ_WATCHERS, (watch.feed_id,))]
    marks = {mark: None for post in look.posts for mark in marks_of(post)}
    known = {row[0] for row in ask(cursor, post_queries.FIND_MARKS, (list(marks), watch.feed_id))}
    sifted = sift(look.posts, known, watched=any(watcher.looked_at for watcher in watchers), now=now)
    unseen = [mark for post in sifted.listed for mark in marks_of(post) if mark not in known]
    if unseen:
        ask(cursor, post_queries.INSERT_MARKS, (watch.feed_id, now, unseen))
    found = find_posts(sifted, watchers, now)
    _write_found(cursor, found, [watcher.order_id for watcher in watchers if watcher.looked_at is None], now)
    kept = ("", "", "") if sifted.is_early else (look.etag, look.last_modified, look.digest)
    ask(cursor, post_queries.UPDATE_READ, (*kept, _due(now), sifted.doubt[:300], watch.feed_id))
    failpoint("look-before-commit")
    doubted = bool(sifted.doubt)
    return Looked(watch.feed_id, watch.question.url, sifted.doubt, is_alarming=doubted, is_recovered=not doubted)


def find_posts(sifted: Sifted, watchers: Sequence[_Watcher], now: datetime) -> list[_Found]:
    """Which posts are whose: the newest existing ones of those who look for the first time, the new ones of all others.

    Existing posts are ordered for at once, new ones after the subscription's delay. Pure.
    """
    found: list[_Found] = []
    for watcher in watchers:
        if watcher.looked_at is None:
            newest = sifted.listed[: watcher.old_posts]
            found += [_Found(watcher.order_id, post, False, now) for post in oldest_first(newest)]
            continue
        looked_at, due_at = watcher.looked_at, now + timedelta(minutes=watcher.delay_minutes)
        new = [post for post in sifted.fresh if is_since(post, looked_at)]
        taken = new if watcher.room is None else new[: max(watcher.room, 0)]
        found += [_Found(watcher.order_id, post, True, due_at) for post in taken]
    return found


def _write_found(cursor: Cursor, found: Sequence[_Found], first: Sequence[int], now: datetime) -> None:
    """Write posts down, have their subscriptions due, and note who has now seen what there is."""
    hasten: dict[int, datetime] = dict.fromkeys(first, now)
    for item in found:
        hasten[item.order_id] = min(hasten.get(item.order_id, item.due_at), item.due_at)
    if not hasten:
        return
    # Work first: whoever orders for posts holds it before it writes to a subscription.
    ask(cursor, queries.LOCK_WORK, (list(hasten),))
    if found:
        rows = [(item.order_id, key_of(item.post), item.post.link, item.is_new, item.due_at) for item in found]
        ask(cursor, queries.INSERT_POSTS, (now, *map(list, zip(*rows, strict=True))))
    ask(cursor, queries.HASTEN_WORK, (list(hasten), list(hasten.values())))
    if first:
        ask(cursor, queries.MARK_LOOKED, (now, list(first)))


def _due(now: datetime, failures: int = 0, asked: timedelta | None = None) -> datetime:
    interval = timedelta(seconds=settings().feed_seconds)
    jitter = random.random()  # noqa: S311 - spreads load, guards nothing
    return next_look(now, interval=interval, failures=failures, asked=asked, jitter=jitter)
