"""Everything there is about subscriptions, for the operator: one question per table, whatever their number."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from hawker.core.money import format_micros
from hawker.orders.models import Subscription, SubscriptionPost
from hawker.posts.models import Feed


def describe_subscriptions(order_ids: Collection[int]) -> Mapping[int, dict[str, Any]]:
    """What each subscription was asked to do, how far it is, its posts and its feed, by the order's number."""
    found = {row.order_id: row for row in Subscription.objects.filter(order_id__in=order_ids)}
    if not found:
        return {}
    posts: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for post in SubscriptionPost.objects.filter(order_id__in=found).order_by("id"):
        posts[post.order_id].append(_post(post))
    feeds = Feed.objects.in_bulk({row.feed_id for row in found.values() if row.feed_id is not None})
    return {
        row.order_id: {
            **_subscription(row),
            "feed": None if row.feed_id is None else _feed(feeds[row.feed_id]),
            "posts": posts[row.order_id],
        }
        for row in found.values()
    }


def _subscription(row: Subscription) -> dict[str, Any]:
    return {
        "mode": "forwarded" if row.feed_id is None else "local",
        "username": row.username,
        "min": row.minimum,
        "max": row.maximum,
        "new_posts": row.posts,
        "new_posts_left": row.posts_left,
        "old_posts": row.old_posts,
        "delay_minutes": row.delay_minutes,
        "expiry": row.expiry,
        "orders_made": row.parts,
        "first_looked_at": row.looked_at,
        "waits_for_funds": None if row.needed_micros is None else format_micros(row.needed_micros),
    }


def _post(post: SubscriptionPost) -> dict[str, Any]:
    return {
        "key": post.key,
        "link": post.link,
        "new": post.is_new,
        "quantity": post.quantity,
        "due_at": post.due_at,
        "order": post.child_id,
        "problem": post.problem,
        "seen_at": post.seen_at,
    }


def _feed(feed: Feed) -> dict[str, Any]:
    return {
        "feed": feed.id,
        "source": feed.source,
        "url": feed.url,
        "checked_at": feed.checked_at,
        "next_look_at": feed.due_at,
        "failures": feed.failures,
        "problem": feed.problem,
    }
